internal import Synchronization

/// Keeps a file up to date from a thread of its own, so that nobody waits for the disk.
///
/// Contents that come while others are being written replace each other: only the newest count.
package final class FileKeeper {
    private let desk: Desk
    private var thread: Thread?

    /// Starts the thread; nothing is written before `put`.
    package init(path: String) throws(SystemError) {
        desk = try Desk(path: path)
        thread = try Thread(name: "state") { [desk] in desk.work() }
    }

    deinit { end() }

    /// Hands over new contents.
    package func put(_ bytes: [UInt8]) { desk.put(bytes) }

    /// Hands over new contents and waits until they are written; why they are not.
    package func write(_ bytes: [UInt8]) -> SystemError? {
        put(bytes)
        while !isIdle { Program.sleep(seconds: 0.001) }
        return failure
    }

    /// Why the last contents could not be written; nil when they were, or are about to be.
    package var failure: SystemError? { desk.failure }

    /// Whether all contents handed over have been tried.
    package var isIdle: Bool { desk.isIdle }

    /// Writes what is left and ends the thread.
    package func end() {
        desk.end()
        thread.take()?.join()
    }

    /// What both threads see.
    private final class Desk: Sendable {
        private struct Work {
            var next: [UInt8]?
            var isWriting = false
            var isEnding = false
            var failure: SystemError?
        }

        private let path: String
        private let bell: WakeUp
        private let shared = Mutex(Work())

        init(path: String) throws(SystemError) {
            self.path = path
            bell = try WakeUp()
        }

        func put(_ bytes: [UInt8]) {
            shared.withLock { $0.next = bytes }
            bell.signal()
        }

        func end() {
            shared.withLock { $0.isEnding = true }
            bell.signal()
        }

        var failure: SystemError? { shared.withLock { $0.failure } }

        var isIdle: Bool { shared.withLock { $0.next == nil && !$0.isWriting } }

        func work() {
            var poller = Poller()
            poller.add(bell.descriptor, token: 0)
            while true {
                let (bytes, isEnding) = shared.withLock { work in
                    defer { work.next = nil }
                    work.isWriting = work.next != nil
                    return (work.next, work.isEnding)
                }
                if let bytes {
                    let failure = write(bytes)
                    shared.withLock { work in
                        work.isWriting = false
                        work.failure = failure
                    }
                    continue
                }
                if isEnding { return }
                // A failure to wait means another look at the desk, which does no harm.
                _ = try? poller.wait(nanoseconds: nil) { _ in }
                bell.clear()
            }
        }

        private func write(_ bytes: [UInt8]) -> SystemError? {
            do throws(SystemError) {
                try Files.replace(path, with: bytes)
                return nil
            } catch {
                return error
            }
        }
    }
}
