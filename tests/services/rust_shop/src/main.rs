//! Logs by env_logger, or by tracing if told so, and panics.

fn main() {
    if std::env::args().nth(1).as_deref() == Some("tracing") {
        tracing_subscriber::fmt().with_writer(std::io::stderr).init();
        let span = tracing::info_span!("order", id = 7);
        let _entered = span.enter();
        tracing::warn!(left = 3, "stock is low");
    } else {
        env_logger::init();
        log::warn!("stock is low: {}", 3);
    }
    let stock: Vec<u32> = Vec::new();
    println!("{}", stock[std::env::args().count()]);
}
