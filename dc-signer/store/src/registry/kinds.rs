//! Kinds of actions: what a record of each does to a device, and whether it has a hash of what it set.

use super::record::{Action, DeviceChange};

impl Action {
    /// True if each record of it has a hash of what it set, in a log that has such hashes.
    pub(crate) const fn is_committed(self) -> bool {
        matches!(
            self,
            Self::ActivateDelegation
                | Self::Add
                | Self::ChangeOperator
                | Self::ChangeZone
                | Self::DrainDelegation
                | Self::EnableOperator
                | Self::EndDelegation
                | Self::ImportDelegation
                | Self::NewCode
                | Self::NewZone
                | Self::RenewOperator
                | Self::Replace
        )
    }

    /// The change of a device that whoever reads the log again has to follow; none if it changes nothing of one.
    ///
    /// The one list of all actions for replaying and verifying a log, so that a new action is classified here.
    pub(crate) const fn device_change(self) -> Option<DeviceChange> {
        Some(match self {
            Self::Add => DeviceChange::Add,
            Self::Enrol => DeviceChange::Enrol,
            Self::FinishSwitch => DeviceChange::FinishSwitch,
            Self::NewName => DeviceChange::NewName,
            Self::Replace => DeviceChange::Replace,
            Self::Resume => DeviceChange::Resume,
            Self::Retire => DeviceChange::Retire,
            Self::Suspend => DeviceChange::Suspend,
            Self::SwitchKey => DeviceChange::SwitchKey,
            Self::AcceptOlder
            | Self::Acknowledge
            | Self::ActivateDelegation
            | Self::Approve
            | Self::AskApproval
            | Self::BreakGlass
            | Self::ChangeApproval
            | Self::ChangeOperator
            | Self::ChangeZone
            | Self::ClearClone
            | Self::DisableOperator
            | Self::DrainDelegation
            | Self::EnableOperator
            | Self::EndDelegation
            | Self::EndSecret
            | Self::ExportSecrets
            | Self::FailOrder
            | Self::Export
            | Self::ExportEnd
            | Self::FinishApproval
            | Self::FlagClone
            | Self::ImportDelegation
            | Self::Issue
            | Self::IssueClient
            | Self::NewCode
            | Self::NewZone
            | Self::OrderDelegation
            | Self::Read
            | Self::RefuseApproval
            | Self::RemoveZone
            | Self::RenewOperator
            | Self::Replay
            | Self::ResealSecrets
            | Self::RotateSecret
            | Self::SealSecrets
            | Self::ShareDelegation
            | Self::TakeName
            | Self::Tidy => return None,
        })
    }
}
