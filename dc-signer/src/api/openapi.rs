//! The API's description, made from the handlers and checked in as `openapi.json`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Object, RefOr, Required, Schema, Type};
use utoipa::{Modify, OpenApi};

use super::{approvals, audit, bulk, device, devices, health, operators, public, record, zones};
use crate::authority::json::{AddLine, AuditRecord, NewDevice};
use dc_protocol::{ENROLL, RENEW};

#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "dc-signer",
        description = "Issues delegated credentials (RFC 9345), each with a name that only one device has. Times are seconds since 1970, hashes are SHA-256 in lower-case hexadecimal, certificates and requests are PEM. Every refusal is a problem (RFC 9457) with a type that stays.",
    ),
    paths(
        device::enroll, device::renew, record::show,
        public::renewal_info, public::withdrawn, public::withdrawn_compact,
        devices::list, devices::add, devices::show, devices::history, devices::suspend, devices::resume,
        devices::retire, devices::replace, devices::code, devices::clear_clone,
        bulk::add, bulk::export,
        approvals::retire, approvals::list, approvals::approve, approvals::refuse,
        operators::list, operators::renew, operators::disable, operators::enable,
        audit::list, audit::export, audit::checkpoint,
        zones::list, zones::add, zones::forms, zones::roles, zones::rollover, zones::pull, zones::remove,
        health::alive, health::ready, health::metrics, document,
    ),
    components(schemas(AddLine, AuditRecord, NewDevice)),
    modifiers(&Devices, &Security),
)]
struct Document;

/// Adds the schemas of what devices exchange with the signer. Their types are built into devices and know nothing of OpenAPI, so
/// these are kept by hand.
struct Devices;

impl Modify for Devices {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let schemas: BTreeMap<String, RefOr<Schema>> =
            serde_json::from_str(DEVICES).expect("a test reads the same file");
        components.schemas.extend(schemas);
        // A reference does not say, as a type does, that there must be a body.
        for path in [ENROLL, RENEW] {
            let path = document.paths.paths.get_mut(path);
            let post = path.and_then(|path| path.post.as_mut());
            if let Some(RefOr::T(body)) = post.and_then(|post| post.request_body.as_mut()) {
                body.required = Some(Required::True);
            }
        }
    }
}

const DEVICES: &str = include_str!("openapi/devices.json");

/// The ways in which callers authenticate themselves.
struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        components.add_security_scheme("token", SecurityScheme::Http(token));
        let device = SecurityScheme::MutualTls {
            description: Some(
                "The device's enrolment key or its manufacturer's certificate".into(),
            ),
            extensions: None,
            deprecated: None,
        };
        components.add_security_scheme("device", device);
        let credential = SecurityScheme::MutualTls {
            description: Some(
                "The delegated credential that the device has as a client (RFC 9345), at the address of [credential_listener]".into(),
            ),
            extensions: None,
            deprecated: None,
        };
        components.add_security_scheme("credential", credential);
        let certificate = SecurityScheme::MutualTls {
            description: Some(CERTIFICATE.into()),
            extensions: None,
            deprecated: None,
        };
        components.add_security_scheme("certificate", certificate);
        for path in document.paths.paths.values_mut() {
            if let Some(get) = &mut path.get {
                or_certificate(get);
            }
            if let Some(post) = &mut path.post
                && or_certificate(post)
            {
                let parameters = post.parameters.get_or_insert_default();
                parameters.push(requested_with().into());
            }
        }
    }
}

/// Adds the certificate as an alternative to the token.
fn or_certificate(operation: &mut Operation) -> bool {
    let token = SecurityRequirement::new("token", [""; 0]);
    let security = operation.security.get_or_insert_default();
    let is_operators = security.contains(&token);
    if is_operators {
        security.push(SecurityRequirement::new("certificate", [""; 0]));
    }
    is_operators
}

/// The header of a request that changes something with a certificate.
fn requested_with() -> Parameter {
    ParameterBuilder::new()
        .name("X-Requested-With")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Needed with an operator's certificate: any value. No page of another site can make a browser send it.",
        ))
        .schema(Some(Object::with_type(Type::String)))
        .build()
}

const CERTIFICATE: &str = "An operator's certificate, as it was added with 'dc-signer operators add --certificate', while it is valid. Requests that change something also have the header X-Requested-With";

/// The description as it is checked in.
#[must_use]
pub fn openapi_json() -> String {
    // It is made of text and maps, which are always JSON.
    let mut json = Document::openapi().to_pretty_json().unwrap_or_default();
    json.push('\n');
    json
}

/// This description.
#[utoipa::path(get, path = "/openapi.json", tag = "health", security(()),
    responses((status = 200, body = Object)))]
pub(super) async fn document() -> Response {
    // Made once, and shared by all answers: anybody may ask for it, as often as they like.
    static JSON: LazyLock<Bytes> = LazyLock::new(|| openapi_json().into());
    ([(CONTENT_TYPE, "application/json")], JSON.clone()).into_response()
}

#[cfg(test)]
mod tests {
    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use serde_json::{Map, Value, json};

    use super::*;
    use dc_protocol::{
        Credential, Credentials, DeviceRecord, EnrollRequest, Kind, Problem, RenewRequest,
        RenewalInfo,
    };

    /// Checks that a schema has the properties that serde writes when every field is there, with their types, and requires those
    /// without which serde reads nothing.
    fn assert_described<T: Serialize + DeserializeOwned>(name: &str, full: &T) {
        let schemas: Value = serde_json::from_str(DEVICES).unwrap();
        let schema = &schemas[name];
        let Value::Object(full) = serde_json::to_value(full).unwrap() else {
            panic!("{name} is an object");
        };
        let properties = schema["properties"].as_object().unwrap();
        assert_eq!(
            properties.keys().collect::<Vec<_>>(),
            full.keys().collect::<Vec<_>>(),
            "{name}"
        );
        let required: Vec<&str> = schema["required"]
            .as_array()
            .unwrap()
            .iter()
            .map(|field| field.as_str().unwrap())
            .collect();
        for (field, value) in &full {
            let property = &properties[field];
            assert!(fits(property, value), "{name}.{field}: {property}");
            let mut without = full.clone();
            without.remove(field);
            assert_eq!(
                reads::<T>(without),
                !required.contains(&field.as_str()),
                "{name}.{field}"
            );
            let mut null = full.clone();
            null.insert(field.clone(), Value::Null);
            assert_eq!(
                reads::<T>(null),
                fits(property, &Value::Null),
                "{name}.{field}"
            );
        }
    }

    fn reads<T: DeserializeOwned>(fields: Map<String, Value>) -> bool {
        serde_json::from_value::<T>(Value::Object(fields)).is_ok()
    }

    /// True if a property may have a value of this type.
    fn fits(property: &Value, value: &Value) -> bool {
        let kind = match value {
            Value::Array(_) => "array",
            Value::Null => "null",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Bool(_) => "boolean",
            Value::Object(_) => return false,
        };
        match &property["type"] {
            Value::Array(kinds) => kinds.contains(&json!(kind)),
            one => one == kind,
        }
    }

    #[test]
    fn what_devices_and_the_signer_exchange_is_described_as_serde_reads_and_writes_it() {
        let text = || "a".to_owned();
        let credential = Credential {
            form: text(),
            pem: text(),
            sha256: text(),
        };
        assert_described("Credential", &credential);
        let credentials = Credentials {
            device: text(),
            name: text(),
            zone: text(),
            credentials: vec![credential.clone()],
            client_credentials: vec![credential],
            chain: text(),
            issued: 1,
            expires: 2,
            renew_from: 3,
            renew_until: 4,
        };
        assert_described("Credentials", &credentials);
        let enrolment = EnrollRequest {
            csr: text(),
            client_csr: Some(text()),
            code: Some(text()),
            previous_sha256: Some(text()),
        };
        assert_described("EnrollRequest", &enrolment);
        let renewal = RenewRequest {
            csr: text(),
            client_csr: Some(text()),
            previous_sha256: Some(text()),
            idempotency_key: text(),
            next_enrolment_csr: Some(text()),
        };
        assert_described("RenewRequest", &renewal);
        let info = RenewalInfo {
            zone: text(),
            certificate_sha256: Some(text()),
            renew_issued_before: 1,
            spread: 2,
            poll_after: 3,
        };
        assert_described("RenewalInfo", &info);
        let record = DeviceRecord {
            name: text(),
            zone: text(),
            state: text(),
            issued: Some(1),
            expires: Some(2),
            renew_from: Some(3),
            renew_until: Some(4),
            possible_clone: true,
        };
        assert_described("DeviceRecord", &record);
        let problem = Problem {
            available_from: Some(1),
            request_id: Some(text()),
            ..Problem::new(Kind::NameHeld, "wait")
        };
        assert_described("Problem", &problem);
        let schemas: BTreeMap<String, RefOr<Schema>> = serde_json::from_str(DEVICES).unwrap();
        assert_eq!(schemas.len(), 7);
    }

    /// `.route("/path", get(…).post(…))` in the router, as `GET /path`.
    fn routes() -> Vec<String> {
        let source = include_str!("mod.rs");
        let constants = [
            ("dc_protocol::ENROLL", ENROLL),
            ("dc_protocol::RENEW", RENEW),
            ("dc_protocol::DEVICE", dc_protocol::DEVICE),
            ("BULK", super::super::BULK),
            ("EXPORT", super::super::EXPORT),
            ("AUDIT_EXPORT", super::super::AUDIT_EXPORT),
        ];
        let mut found = Vec::new();
        for route in source.split(".route(").skip(1) {
            let (path, handlers) = route.split_once(',').unwrap();
            let path = constants.iter().find(|(name, _)| *name == path.trim());
            let quoted = route.split('"').nth(1).unwrap_or_default();
            let path = path.map_or(quoted, |(_, path)| path);
            let handlers = handlers.split(".route(").next().unwrap();
            let handlers = handlers
                .split(".method_not_allowed_fallback(")
                .next()
                .unwrap();
            for method in ["get", "post", "put", "delete"] {
                if handlers.contains(&format!("{method}(")) {
                    found.push(format!("{method} {path}"));
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn every_route_is_described_and_nothing_else_is() {
        let document: Value = serde_json::from_str(&openapi_json()).unwrap();
        let mut described = Vec::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            let methods = methods.as_object().unwrap().keys();
            described.extend(methods.map(|method| format!("{method} {path}")));
        }
        described.sort();
        assert_eq!(described, routes());
    }

    #[test]
    fn what_is_checked_in_is_what_the_handlers_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let checked_in = std::fs::read_to_string(path).unwrap_or_default();
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(path, openapi_json()).unwrap();
            return;
        }
        assert!(
            checked_in == openapi_json(),
            "openapi.json differs: look at what changed for clients, then run this test with UPDATE_OPENAPI=1"
        );
    }
}
