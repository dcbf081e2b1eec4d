package import LVS
package import Posix

/// The control socket of a director: accepts clients and serves them without ever waiting.
///
/// Driven by the housekeeper's poll loop: wait for `interests`, tell what happened to `handle`,
/// call `tick` at least once a second. Only the housekeeper's thread may call.
package final class ControlServer {
    /// Where the director listens.
    package let path: String
    private let listener: FileDescriptor
    private let file: Files.Identity?
    private let executor: CommandExecutor
    private let stallSeconds: UInt64
    private var connections: [Int32: ControlConnection] = [:]
    /// Who may connect besides root and the director's own user.
    private let group: UInt32?
    private var buffer = [UInt8](repeating: 0, count: ControlServer.requestBytes)
    /// Clients so far: each is known by its number.
    private var clients: UInt64 = 0
    /// Counts calls, so that nobody is always served first.
    private var turn = 0
    private var now: Instant
    private var isClosed = false

    /// More clients than this at a time are turned away.
    package static let mostConnections = 256
    /// Largest packet of requests; no client of IPVS comes near, and who sends more is dropped.
    package static let requestBytes = 64 << 10
    /// Time for clients before the housekeeper's other work has its turn.
    private static let turnNanoseconds: UInt64 = 20_000_000

    /// Listens at `path` with access for the owner alone, and for a group (its number) if one is given.
    ///
    /// A socket that a dead director left is replaced, one of a living director is EADDRINUSE, and a
    /// file that is no socket is left alone (ENOTSOCK). A client that has not read its answers for
    /// `stallSeconds` is dropped.
    package init(
        path: String, target: any ControlTarget, daemon: any DaemonTarget, now: Instant,
        group: UInt32? = nil, stallSeconds: UInt64 = 30
    ) throws(SystemError) {
        try ControlPath.prepareDirectory(for: path)
        listener = try UnixSocket.listen(path: path, group: group)
        self.group = group
        file = Files.identity(path)
        self.path = path
        self.now = now
        self.stallSeconds = stallSeconds
        executor = CommandExecutor(target: target, daemon: daemon)
    }

    deinit { close() }

    /// A descriptor to wait on and for what.
    package struct Interest: Hashable, Sendable {
        package var descriptor: Int32
        package var reading: Bool
        package var writing: Bool
    }

    /// What to wait for now; changes with every call of `handle` and `tick`.
    package var interests: [Interest] {
        guard !isClosed else { return [] }
        var interests = [Interest(descriptor: listener.number, reading: true, writing: false)]
        for (number, connection) in connections {
            let writing = connection.isWriting
            interests.append(Interest(descriptor: number, reading: !writing, writing: writing))
        }
        return interests
    }

    /// Serves the descriptors on which something happened, as long as a turn may take; the rest, which
    /// stay ready, come first the next time.
    package func handle(_ descriptors: [Int32], now: Instant) {
        guard !descriptors.isEmpty else { return }
        let end = MonotonicClock.now() + Self.turnNanoseconds
        turn = turn % descriptors.count
        for index in descriptors.indices {
            handle(descriptors[(turn + index) % descriptors.count], now: now)
            guard MonotonicClock.now() < end else {
                turn += index + 1
                return
            }
        }
    }

    /// Serves a descriptor on which something happened; unknown ones are ignored.
    package func handle(_ descriptor: Int32, now: Instant) {
        self.now = max(now, self.now)
        guard !isClosed else { return }
        if descriptor == listener.number {
            accept()
        } else if let connection = connections[descriptor],
            !connection.serve(now: now, buffer: &buffer)
        {
            drop(descriptor)
        }
    }

    private func drop(_ descriptor: Int32) {
        guard let connection = connections.removeValue(forKey: descriptor) else { return }
        executor.daemon.forget(client: connection.client)
    }

    /// Drops clients that do not read.
    package func tick(_ now: Instant) {
        self.now = max(now, self.now)
        for (number, connection) in connections
        where connection.isStalled(now: now, seconds: stallSeconds) {
            drop(number)
        }
    }

    /// Clients connected at the moment.
    package var connectionCount: Int { connections.count }

    /// Synchronisation daemons as clients started them.
    package var syncDaemons: [DaemonRecord] { executor.syncDaemons.records }

    /// Takes over a synchronisation daemon as an earlier director had it.
    package func restore(_ daemon: DaemonRecord) {
        executor.syncDaemons.restore(daemon)
        executor.daemon.resumeSynchronising(daemon)
        executor.target.setBackupDaemon(isRunning: executor.syncDaemons.hasBackup)
    }

    /// Ends every connection and takes the socket away, unless another director has replaced it.
    package func close() {
        guard !isClosed else { return }
        isClosed = true
        for number in Array(connections.keys) { drop(number) }
        if let file, Files.identity(path) == file { UnixSocket.remove(path: path) }
    }

    /// Accepts whoever waits; a failure to accept is that client's loss and shows itself there.
    private func accept() {
        while let socket = try? UnixSocket.accept(listener) {
            // The credentials are those of the moment of connecting.
            guard connections.count < Self.mostConnections,
                let peer = try? PeerCredentials(of: socket)
            else { continue }
            let number = socket.number
            let privileged =
                peer.user == 0 || peer.user == Identity.user
                || group.map(peer.groups.contains) == true
            clients += 1
            connections[number] = ControlConnection(
                socket, Conversation(executor, privileged: privileged, client: clients),
                client: clients, now: now)
        }
    }
}
