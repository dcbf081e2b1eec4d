package import LVS
package import Posix
import Synchronization

/// A running master daemon: a thread that takes what workers have others told of, and its sockets.
///
/// The housekeeper calls `keep` once a second, and `stop` before the director ends.
package final class MasterSender {
    package let place: DaemonPlace
    private let desk: SendingDesk
    private var thread: Thread?

    /// A master of what these queues hold, of which nobody else takes anything.
    package init(_ place: DaemonPlace, _ queues: [SyncQueue], _ terms: MasterDaemon.Terms) {
        self.place = place
        desk = SendingDesk(place, queues, terms)
    }

    /// Opens the sockets; all of them or none.
    package func open() throws(SystemError) {
        try desk.state.withLock { state throws(SystemError) in try state.sockets.openAll() }
    }

    /// Begins to send; what waits from earlier is left out.
    package func start() throws(SystemError) {
        let desk = desk
        desk.drop()
        thread = try Thread(name: "sync-master") { desk.work() }
    }

    /// Ends the thread; a message that is being filled is not sent (as the kernel's is not).
    package func stop() {
        desk.state.withLock { $0.isStopped = true }
        if let ended = thread.take() { ended.join() }
    }

    /// Opens the sockets again when the interface has changed; true when that changed whether something is
    /// sent.
    package func keep() -> Bool { desk.state.withLock { $0.sockets.keep() } }

    /// Takes over settings that were changed.
    package func change(_ terms: MasterDaemon.Terms) {
        desk.state.withLock { $0.daemon.terms = terms }
    }

    /// Why nothing is sent at the moment; nil when something is.
    package var trouble: SystemError? { desk.state.withLock { $0.sockets.trouble } }

    /// What `status` says of it, a line each.
    package var summary: [String] {
        let lost = desk.lost
        return desk.state.withLock { state in
            let version = state.daemon.terms.version.rawValue
            var lines = ["\(place.words), syncid \(place.syncID), format \(version)"]
            if let trouble = state.sockets.trouble {
                lines.append("sends nothing now: \(trouble)")
            }
            lines += state.daemon.summary
            if lost > 0 { lines.append("lost: \(lost) connections that came too fast") }
            return lines
        }
    }
}

/// What the thread of a master shares with who started it.
private final class SendingDesk: Sendable {
    struct State {
        var daemon: MasterDaemon
        var sockets: DaemonSockets<MulticastSender>
        var isStopped = false
    }

    /// Between two looks into the queues; as long as the kernel waits for a second message.
    private static let turnSeconds = 0.02

    let state: Mutex<State>
    private let queues: [SyncQueue]
    private let ports: Int
    /// What the queues had lost before.
    private let lostBefore: UInt64

    init(_ place: DaemonPlace, _ queues: [SyncQueue], _ terms: MasterDaemon.Terms) {
        self.queues = queues
        ports = max(1, place.ports)
        lostBefore = queues.map(\.lost).reduce(0, &+)
        let daemon = MasterDaemon(
            syncID: place.syncID, maximumBytes: place.maximumBytes, ports: place.ports,
            terms: terms)
        let sockets = DaemonSockets(place) { place, group, port, interface throws(SystemError) in
            try MulticastSender(
                group: group, port: port, interface: interface, timeToLive: place.timeToLive,
                roomBytes: Int32(clamping: place.roomBytes))
        }
        state = Mutex(State(daemon: daemon, sockets: sockets))
    }

    /// Connections that found no room in the queues.
    var lost: UInt64 { queues.map(\.lost).reduce(0, &+) &- lostBefore }

    func drop() { for queue in queues { queue.drop() } }

    /// The thread's work, until it is stopped.
    func work() {
        while turn() { Program.sleep(seconds: Self.turnSeconds) }
    }

    /// Takes what waits and sends what is due; false when it is time to end.
    private func turn() -> Bool {
        state.withLock { state in
            guard !state.isStopped else { return false }
            let now = Instant(nanoseconds: MonotonicClock.now())
            for queue in queues {
                // A turn ends even if a worker is as fast as this.
                for _ in 0..<SyncQueue.capacity {
                    guard let item = queue.take() else { break }
                    state.daemon.tell(item.told, number: item.number, now: now)
                }
            }
            state.daemon.flush(now: now)
            for lane in 0..<ports { Self.send(lane, &state) }
            return true
        }
    }

    /// Sends what a socket has to send, until it takes no more.
    private static func send(_ lane: Int, _ state: inout State) {
        let sockets = state.sockets.sockets
        while let message = state.daemon.next(of: lane) {
            guard lane < sockets.count else {
                state.daemon.failed(by: lane)
                continue
            }
            do throws(SystemError) {
                guard try sockets[lane].send(message) else { return }
                state.daemon.sent(by: lane)
            } catch {
                // As the kernel does: the next message may fare better.
                state.daemon.failed(by: lane)
            }
        }
    }
}
