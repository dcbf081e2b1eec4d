package import LVS
package import Posix

/// A running backup daemon: its sockets, and what came by them.
///
/// The housekeeper waits for `descriptors`, calls `receive` when one is readable and `keep` once a second.
package final class BackupReceiver {
    /// Time for datagrams before the housekeeper's other work has its turn.
    private static let turnNanoseconds: UInt64 = 5_000_000

    package let place: DaemonPlace
    package private(set) var daemon: BackupDaemon
    private var sockets: DaemonSockets<MulticastReceiver>
    private var buffer: [UInt8]
    /// The socket that is read first in the next turn, so that none is always the last.
    private var turn = 0

    package init(_ place: DaemonPlace) {
        self.place = place
        daemon = BackupDaemon(syncID: place.syncID)
        sockets = DaemonSockets(place) { place, group, port, interface throws(SystemError) in
            try MulticastReceiver(
                group: group, port: port, interface: interface,
                roomBytes: Int32(clamping: place.roomBytes))
        }
        buffer = [UInt8](repeating: 0, count: max(1, place.maximumBytes))
    }

    /// Why nothing is heard at the moment; nil when something is.
    package var trouble: SystemError? { sockets.trouble }

    /// What to wait for, to be read.
    package var descriptors: [Int32] { sockets.sockets.map(\.descriptor) }

    /// Opens the sockets; all of them or none.
    package func open() throws(SystemError) { try sockets.openAll() }

    /// Opens the sockets again when the interface is another one by now, or has come only now; true when
    /// that changed whether something is heard.
    package func keep() -> Bool { sockets.keep() }

    /// Reads what waits, as long as a turn may take; the rest stays for the next one.
    package func receive(into take: (ToldConnection) -> ToldOutcome) {
        let end = MonotonicClock.now() + Self.turnNanoseconds
        let sockets = sockets.sockets
        var left = sockets.count
        // In turn, one datagram each, until none of them has another.
        while left > 0 {
            turn = turn + 1 < sockets.count ? turn + 1 : 0
            guard let datagram = next(of: sockets[turn]) else {
                left -= 1
                continue
            }
            left = sockets.count
            daemon.receive(datagram, into: take)
            guard MonotonicClock.now() < end else { return }
        }
    }

    private func next(of socket: MulticastReceiver) -> [UInt8]? {
        do throws(SystemError) {
            return try socket.receive(by: &buffer)
        } catch {
            // The network went down under it, which `keep` and the next turn see to.
            return nil
        }
    }

    /// What `status` says of it, a line each.
    package var summary: [String] {
        let from = place.syncID == 0 ? "every syncid" : "syncid \(place.syncID)"
        var lines = ["\(place.words), \(from)"]
        if let trouble { lines.append("hears nothing now: \(trouble)") }
        return lines + daemon.summary
    }
}
