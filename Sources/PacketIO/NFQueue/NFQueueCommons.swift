internal import CPacketIO
internal import Posix
internal import Synchronization

/// The queues that `nfqueue:0` or `nfqueue:0-3` names: one for each worker.
package struct QueueRange: Hashable, Sendable {
    package var first: UInt16
    package var count: Int

    /// Most queues, and so workers.
    package static let most = 16

    /// Reads what stands behind `nfqueue:`.
    package init(_ text: String) throws(DriverError) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { part in
            part.utf8.allSatisfy { (48...57).contains($0) } ? UInt16(part) : nil
        }
        guard numbers.count == parts.count, (1...2).contains(numbers.count),
            let first = numbers.first, let last = numbers.last, first <= last,
            Int(last - first) < QueueRange.most
        else {
            throw DriverError(
                .badArgument,
                "nfqueue:\(text): the number of a queue, 0 to 65535, is accepted, or a range of at"
                    + " most \(QueueRange.most), one for each worker, as in nfqueue:0-3")
        }
        self.first = first
        count = Int(last - first) + 1
    }
}

/// What the NFQUEUE drivers of one director have in common: the queues, and what their workers have
/// to know of the host.
///
/// Made by whoever opens drivers, on one thread, and filled as drivers need it; hence the unchecked
/// conformance.
package final class NFQueueCommons: @unchecked Sendable {
    let surroundings = QueueSurroundings()
    package private(set) var queues: QueueRange?
    private var receptions: [Int: QueueReception] = [:]
    private var names: Set<String> = []

    package init() {}

    /// Sets which queues there are; the first call decides.
    package func use(_ queues: QueueRange) {
        if self.queues == nil { self.queues = queues }
    }

    /// The queue of a worker, and whether the caller is the first to have it.
    func reception(of worker: Int) throws(DriverError) -> (QueueReception, isFirst: Bool) {
        if let reception = receptions[worker] { return (reception, false) }
        guard let queues else { preconditionFailure("queues are named before they are opened") }
        let made = try QueueReception(queues.first + UInt16(worker), surroundings)
        receptions[worker] = made
        return (made, true)
    }

    /// Notes an interface that packets come by.
    func add(_ interface: String) { names.insert(interface) }

    /// Reads whether the host forwards packets, for the housekeeper once a second.
    ///
    /// IPv4 forwards by interface, and all of the served ones must; IPv6 by one switch.
    package func followForwarding() {
        let v4 = names.allSatisfy { isOn("ipv4/conf/\($0)/forwarding") ?? true }
        surroundings.forwardsV4.store(v4, ordering: .relaxed)
        let v6 = isOn("ipv6/conf/all/forwarding") ?? false
        surroundings.forwardsV6.store(v6, ordering: .relaxed)
    }

    /// A switch below /proc/sys/net; nil while there is none, as for an interface that is gone.
    private func isOn(_ setting: String) -> Bool? {
        do throws(SystemError) {
            let text = try Files.readBytes("/proc/sys/net/\(setting)")
            return text.first.map { $0 != UInt8(ascii: "0") }
        } catch {
            return nil
        }
    }

    /// What became of the packets, one line for each queue, and of verdicts that the kernel refused.
    package var summary: [String] {
        receptions.keys.sorted().compactMap { receptions[$0] }.flatMap(Self.lines)
    }

    private static func lines(_ reception: QueueReception) -> [String] {
        let cells = reception.cells
        var lines = [
            "queue \(reception.socket.number): \(cells.untouched.count) accepted as they came,"
                + " \(cells.rewritten.count) accepted with new contents,"
                + " \(cells.sentBySocket.count) sent by packet sockets, \(cells.dropped.count) dropped"
        ]
        if cells.refused.count > 0 {
            let code = Int32(cells.lastRefusal.load(ordering: .relaxed))
            let reason = SystemError("verdict", code: code).reason
            lines.append(
                "  \(cells.refused.count) verdicts refused by the kernel, the last: \(reason)")
        }
        if cells.uncuttable.count > 0 {
            lines.append(
                "  \(cells.uncuttable.count) UDP super-frames lost: only NAT on a forwarding host can"
                    + " pass them on (ethtool -K INTERFACE rx-udp-gro-forwarding off)")
        }
        return lines
    }
}
