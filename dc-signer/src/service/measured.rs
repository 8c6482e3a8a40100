//! A store that says how long it took.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use pki_types::UnixTime;

use crate::registry::{
    self, Access, Change, CodeId, Device, DeviceId, Forms, Head, ManagedZone, Operator,
    OperatorName, PendingCode, Record, Sha256, SlotState,
};
use crate::store::{
    Act, Added, Answer, BroughtUp, Error, Filter, Find, Fleet, History, Issuance, Keep, Kept,
    Listed, NewDevice, NewSlot, NewZone, Page, Recorded, Redeemed, Redemption, Replica, Report,
    Retention, ServerClock, Store, Tidied, WithdrawnNames,
};
use crate::telemetry::Metrics;
use dc_pki::names::Zone;

/// Passes everything on, and measures it.
#[derive(Debug)]
pub(super) struct Measured {
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
}

impl Measured {
    pub(super) fn new(store: Arc<dyn Store>, metrics: Arc<Metrics>) -> Self {
        Self { store, metrics }
    }

    async fn measure<T>(&self, operation: &'static str, work: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let done = work.await;
        self.metrics.stored(operation, began.elapsed());
        done
    }
}

#[async_trait]
impl Store for Measured {
    async fn add_devices(&self, devices: &[NewDevice], by: &Act) -> Result<Vec<Added>, Error> {
        self.measure("add_devices", self.store.add_devices(devices, by))
            .await
    }

    async fn find_device(&self, by: &Find) -> Result<Option<Device>, Error> {
        self.measure("find_device", self.store.find_device(by))
            .await
    }

    async fn list_devices(&self, filter: &Filter, page: &Page) -> Result<Listed, Error> {
        self.measure("list_devices", self.store.list_devices(filter, page))
            .await
    }

    async fn change_device(
        &self,
        device: DeviceId,
        change: &Change,
        by: &Act,
    ) -> Result<Device, Error> {
        self.measure(
            "change_device",
            self.store.change_device(device, change, by),
        )
        .await
    }

    async fn history(&self, device: DeviceId, limit: u32) -> Result<History, Error> {
        self.measure("history", self.store.history(device, limit))
            .await
    }

    async fn put_codes(
        &self,
        codes: &[PendingCode],
        keep: Keep,
        by: &Act,
    ) -> Result<Vec<Result<Kept, registry::Error>>, Error> {
        self.measure("put_codes", self.store.put_codes(codes, keep, by))
            .await
    }

    async fn find_code(&self, code: CodeId) -> Result<Option<PendingCode>, Error> {
        self.measure("find_code", self.store.find_code(code)).await
    }

    async fn redeem_code(&self, redemption: &Redemption, by: &Act) -> Result<Redeemed, Error> {
        self.measure("redeem_code", self.store.redeem_code(redemption, by))
            .await
    }

    async fn record(&self, issuance: Issuance) -> Result<Recorded, Error> {
        self.measure("record", self.store.record(issuance)).await
    }

    async fn find_answer(
        &self,
        device: DeviceId,
        key: &Sha256,
        now: UnixTime,
    ) -> Result<Option<Answer>, Error> {
        self.measure("find_answer", self.store.find_answer(device, key, now))
            .await
    }

    async fn add_zone(&self, zone: &NewZone, by: &Act) -> Result<(), Error> {
        self.measure("add_zone", self.store.add_zone(zone, by))
            .await
    }

    async fn zones(&self) -> Result<Vec<ManagedZone>, Error> {
        self.measure("zones", self.store.zones()).await
    }

    async fn set_forms(&self, zone: &Zone, forms: Forms, by: &Act) -> Result<(), Error> {
        self.measure("set_forms", self.store.set_forms(zone, forms, by))
            .await
    }

    async fn pull_renewals(
        &self,
        zone: &Zone,
        issued_before: Option<UnixTime>,
        by: &Act,
    ) -> Result<(), Error> {
        self.measure(
            "pull_renewals",
            self.store.pull_renewals(zone, issued_before, by),
        )
        .await
    }

    async fn import_slot(&self, slot: &NewSlot, by: &Act) -> Result<u32, Error> {
        self.measure("import_slot", self.store.import_slot(slot, by))
            .await
    }

    async fn move_slot(
        &self,
        zone: &Zone,
        number: u32,
        to: SlotState,
        by: &Act,
    ) -> Result<ManagedZone, Error> {
        self.measure("move_slot", self.store.move_slot(zone, number, to, by))
            .await
    }

    async fn withdrawn(&self, zone: &Zone, now: UnixTime) -> Result<WithdrawnNames, Error> {
        self.measure("withdrawn", self.store.withdrawn(zone, now))
            .await
    }

    async fn fleet(&self, now: UnixTime) -> Result<Fleet, Error> {
        self.measure("fleet", self.store.fleet(now)).await
    }

    async fn count_refused(&self, refused: &[(&str, u64)], now: UnixTime) -> Result<(), Error> {
        self.measure("count_refused", self.store.count_refused(refused, now))
            .await
    }

    async fn put_operator(&self, operator: &Operator, by: &Act) -> Result<(), Error> {
        self.measure("put_operator", self.store.put_operator(operator, by))
            .await
    }

    async fn disable_operator(&self, name: &OperatorName, by: &Act) -> Result<(), Error> {
        self.measure("disable_operator", self.store.disable_operator(name, by))
            .await
    }

    async fn find_operator(&self, access: &Access) -> Result<Option<Operator>, Error> {
        self.measure("find_operator", self.store.find_operator(access))
            .await
    }

    async fn operators(&self) -> Result<Vec<Operator>, Error> {
        self.measure("operators", self.store.operators()).await
    }

    async fn audit_head(&self) -> Result<Head, Error> {
        self.measure("audit_head", self.store.audit_head()).await
    }

    async fn audit_from(&self, seq: u64, limit: u32) -> Result<Vec<Record>, Error> {
        self.measure("audit_from", self.store.audit_from(seq, limit))
            .await
    }

    async fn verify_audit(&self) -> Result<Head, Error> {
        self.measure("verify_audit", self.store.verify_audit())
            .await
    }

    async fn accept_older(&self, by: &Act) -> Result<Head, Error> {
        self.measure("accept_older", self.store.accept_older(by))
            .await
    }

    async fn is_newest(&self) -> Result<(), Error> {
        self.measure("is_newest", self.store.is_newest()).await
    }

    async fn replay(&self, newer: &[Record], by: &Act) -> Result<BroughtUp, Error> {
        self.measure("replay", self.store.replay(newer, by)).await
    }

    async fn tidy(&self, now: UnixTime, retention: &Retention) -> Result<Tidied, Error> {
        self.measure("tidy", self.store.tidy(now, retention)).await
    }

    async fn backup(&self, to: &Path) -> Result<(), Error> {
        self.measure("backup", self.store.backup(to)).await
    }

    async fn check(&self) -> Result<Head, Error> {
        self.measure("check", self.store.check()).await
    }

    async fn ping(&self, room: usize) -> Result<(), Error> {
        self.measure("ping", self.store.ping(room)).await
    }

    async fn clock(&self) -> Result<Option<ServerClock>, Error> {
        self.measure("clock", self.store.clock()).await
    }

    async fn report(&self, report: &Report, now: UnixTime) -> Result<(), Error> {
        self.measure("report", self.store.report(report, now)).await
    }

    async fn replicas(&self, now: UnixTime) -> Result<Vec<Replica>, Error> {
        self.measure("replicas", self.store.replicas(now)).await
    }

    async fn close(&self) {
        self.measure("close", self.store.close()).await;
    }
}
