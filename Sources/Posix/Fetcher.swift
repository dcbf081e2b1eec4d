internal import Synchronization

/// Fetches values on a thread of its own, which lives as long as the process: who asks can wait for
/// other things too, and is not held up where an answer does not come.
package final class Fetcher<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let asked: WakeUp
    private let told: WakeUp

    /// Starts the thread, which calls `fetch` once for each time it is asked.
    package init(name: String, _ fetch: @escaping @Sendable () -> Value) throws(SystemError) {
        asked = try WakeUp()
        told = try WakeUp()
        _ = try Thread(name: name) { [self] in
            var poller = Poller()
            poller.add(asked.descriptor, token: 0)
            while true {
                var isAsked = false
                // Without a poll there is nothing to wait for any more.
                guard (try? poller.wait(nanoseconds: nil) { _ in isAsked = true }) != nil else {
                    return
                }
                guard isAsked else { continue }
                asked.clear()
                let fetched = fetch()
                value.withLock { $0 = fetched }
                told.signal()
            }
        }
    }

    /// Readable when a value waits.
    package var descriptor: Int32 { told.descriptor }

    /// Asks for a value; one at a time.
    package func ask() { asked.signal() }

    /// The value, once.
    package func take() -> Value? {
        told.clear()
        return value.withLock { value in
            defer { value = nil }
            return value
        }
    }
}
