//! What a device and an operator meet, whatever database is under the desk.
//!
//! A test is a function over a [`Database`], named once in the list of its file: so it runs on SQLite and on
//! PostgreSQL, and never on one alone.

/// Makes a test for each database out of each function.
macro_rules! on_both {
    ($($test:ident,)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let database = crate::store::testing::Database::sqlite().await;
                super::$test(&database).await;
                database.end().await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                let Some(database) = crate::store::testing::Database::postgres().await else {
                    return;
                };
                super::$test(&database).await;
                database.end().await;
            })*
        }
    };
}

mod bench;
mod clock;
mod device;
mod devices;
mod enrolling;
mod manufactured;
mod renewing;
mod rolling;
mod withdrawing;
