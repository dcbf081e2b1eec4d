package import LVS
package import Posix

/// A running backup daemon: its sockets, and what came by them.
///
/// The housekeeper waits for `descriptors`, calls `receive` when one is readable and `keep` once a second.
package final class BackupReceiver {
    /// Where a daemon listens, and for whom.
    package struct Place: Hashable, Sendable {
        package var interface: String
        package var group: IPAddress
        /// Of the first socket, host order.
        package var port: UInt16
        /// Sockets, on this many ports one after the other (`sync_ports`).
        package var ports = 1
        package var syncID: UInt32
        /// Longest message, bytes; longer ones are cut and make no sense.
        package var maximumBytes: Int
        /// Of each socket's receive buffer, bytes; 0 is the system's own (`sync_sock_size`).
        package var roomBytes = 0

        /// There is none above 65535.
        package var lastPort: UInt16 { UInt16(clamping: Int(port) + max(1, ports) - 1) }

        package init(
            interface: String, group: IPAddress, port: UInt16, syncID: UInt32, maximumBytes: Int
        ) {
            self.interface = interface
            self.group = group
            self.port = port
            self.syncID = syncID
            self.maximumBytes = maximumBytes
        }
    }

    /// Time for datagrams before the housekeeper's other work has its turn.
    private static let turnNanoseconds: UInt64 = 5_000_000

    package let place: Place
    package private(set) var daemon: BackupDaemon
    private var sockets: [MulticastReceiver] = []
    /// The interface as it was when the sockets were opened; another one may come by its name.
    private var index: Int32?
    /// Why nothing is heard at the moment; nil when something is.
    package private(set) var trouble: SystemError?
    private var buffer: [UInt8]
    /// The socket that is read first in the next turn, so that none is always the last.
    private var turn = 0

    package init(_ place: Place) {
        self.place = place
        daemon = BackupDaemon(syncID: place.syncID)
        buffer = [UInt8](repeating: 0, count: max(1, place.maximumBytes))
    }

    /// What to wait for, to be read.
    package var descriptors: [Int32] { sockets.map(\.descriptor) }

    /// Opens the sockets; all of them or none.
    package func open() throws(SystemError) {
        sockets = []
        do throws(SystemError) {
            guard let found = NetworkNamespace.interfaceIndex(place.interface) else {
                throw SystemError.missingDevice(place.interface)
            }
            let group = place.group.wireBytes
            var opened: [MulticastReceiver] = []
            for number in 0...place.lastPort - place.port {
                opened.append(
                    try MulticastReceiver(
                        group: group, port: place.port &+ number,
                        interface: found, roomBytes: Int32(clamping: place.roomBytes)))
            }
            (sockets, index, trouble) = (opened, found, nil)
        } catch {
            trouble = error
            throw error
        }
    }

    /// Opens the sockets again when the interface is another one by now, or has come only now; true when
    /// that changed whether something is heard.
    package func keep() -> Bool {
        let wasHearing = !sockets.isEmpty
        let present = NetworkNamespace.interfaceIndex(place.interface)
        guard !wasHearing || present != index else { return false }
        do throws(SystemError) {
            try open()
            return true
        } catch {
            return wasHearing
        }
    }

    /// Reads what waits, as long as a turn may take; the rest stays for the next one.
    package func receive(into take: (ToldConnection) -> ToldOutcome) {
        let end = MonotonicClock.now() + Self.turnNanoseconds
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
        let ports =
            place.ports > 1
            ? "\(place.port)-\(place.lastPort)" : "\(place.port)"
        let from = place.syncID == 0 ? "every syncid" : "syncid \(place.syncID)"
        var lines = ["on \(place.interface), group \(place.group), port \(ports), \(from)"]
        if let trouble { lines.append("hears nothing now: \(trouble)") }
        return lines + daemon.summary
    }
}
