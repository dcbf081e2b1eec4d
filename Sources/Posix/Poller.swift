internal import CPosix
internal import Glibc

/// A set of descriptors to wait on with one call, each with a number of the caller's own.
package struct Poller {
    /// What happened to one descriptor.
    package struct Event: Hashable, Sendable {
        /// The number the descriptor was added with.
        package var token: Int
        package var readable: Bool
        package var writable: Bool
        /// Hang-up or error; reading tells which.
        package var failed: Bool
    }

    private var descriptors: [pollfd] = []
    private var tokens: [Int] = []

    package init() {}

    package mutating func add(
        _ descriptor: Int32, token: Int, reading: Bool = true, writing: Bool = false
    ) {
        let events = (reading ? POLLIN : 0) | (writing ? POLLOUT : 0)
        descriptors.append(pollfd(fd: descriptor, events: Int16(events), revents: 0))
        tokens.append(token)
    }

    package mutating func remove(_ descriptor: Int32) {
        guard let index = descriptors.firstIndex(where: { $0.fd == descriptor }) else { return }
        descriptors.remove(at: index)
        tokens.remove(at: index)
    }

    /// Forgets every descriptor and keeps the memory.
    package mutating func removeAll() {
        descriptors.removeAll(keepingCapacity: true)
        tokens.removeAll(keepingCapacity: true)
    }

    /// Waits up to `nanoseconds` (nil: for ever) and tells each event; a signal ends the wait early.
    ///
    /// Returns how many descriptors had something to tell.
    @discardableResult
    package mutating func wait(
        nanoseconds: Int64?, _ body: (Event) -> Void
    ) throws(SystemError) -> Int {
        let count = descriptors.count
        let ready = unsafe descriptors.withUnsafeMutableBufferPointer { buffer in
            unsafe cposix_ppoll(buffer.baseAddress, count, nanoseconds ?? -1)
        }
        guard ready >= 0 else {
            if errno == EINTR { return 0 }
            throw SystemError(last: "poll")
        }
        guard ready > 0 else { return 0 }
        for index in 0..<count {
            let what = Int32(descriptors[index].revents)
            guard what != 0 else { continue }
            body(
                Event(
                    token: tokens[index], readable: what & POLLIN != 0,
                    writable: what & POLLOUT != 0,
                    failed: what & (POLLERR | POLLHUP | POLLNVAL) != 0))
        }
        return Int(ready)
    }
}

/// A descriptor by which one thread ends another's wait.
package struct WakeUp: ~Copyable, Sendable {
    private let event: FileDescriptor

    package init() throws(SystemError) {
        event = FileDescriptor(owning: try checked("eventfd") { cposix_eventfd() })
    }

    /// Readable from a `signal` until `clear`.
    package var descriptor: Int32 { event.number }

    /// Any thread may call; calls before a `clear` count once.
    package func signal() {
        var one: UInt64 = 1
        _ = unsafe Glibc.write(event.number, &one, 8)
    }

    package func clear() {
        var count: UInt64 = 0
        _ = unsafe Glibc.read(event.number, &count, 8)
    }
}
