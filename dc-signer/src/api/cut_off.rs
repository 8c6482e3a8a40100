//! Requests that nobody answered, because their client was gone or their connection was cut: they are in the log too.

use std::time::Instant;

use tracing::Span;

/// A request that is being answered; if it is dropped before it is [`Self::answered`], the log says so.
#[derive(Debug)]
pub(super) struct Unanswered {
    span: Span,
    began: Instant,
    answered: bool,
}

impl Unanswered {
    pub(super) fn new(span: Span, began: Instant) -> Self {
        Self {
            span,
            began,
            answered: false,
        }
    }

    pub(super) fn answered(mut self) {
        self.answered = true;
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if !self.answered {
            let milliseconds = self.began.elapsed().as_secs_f64() * 1000.0;
            self.span.in_scope(|| {
                tracing::info!(
                    milliseconds,
                    "cut off: the client was gone before its answer"
                );
            });
        }
    }
}
