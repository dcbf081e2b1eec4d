internal import CPosix
internal import Glibc

/// Signals as something to read: blocked where they would interrupt, told by a descriptor.
///
/// Make it in the main thread before any other thread starts, so that all of them inherit the
/// blocked set.
package struct Signals: ~Copyable, Sendable {
    package static let terminate = SIGTERM
    package static let interrupt = SIGINT
    package static let hangUp = SIGHUP
    /// The terminal has another size.
    package static let windowChange = SIGWINCH

    private let source: FileDescriptor

    package init(_ signals: [Int32]) throws(SystemError) {
        source = FileDescriptor(
            owning: try checked("signalfd") {
                unsafe cposix_signalfd(signals, Int32(signals.count))
            })
    }

    /// Readable when a signal waits.
    package var descriptor: Int32 { source.number }

    /// The next waiting signal, nil when there is none.
    package func next() -> Int32? {
        let signal = cposix_read_signal(source.number)
        return signal > 0 ? signal : nil
    }

    /// Lets a write to a closed peer be an error instead of the end of the process.
    package static func ignoreBrokenPipes() {
        _ = signal(SIGPIPE, SIG_IGN)
    }
}
