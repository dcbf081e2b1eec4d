/// The marking rules as workers read them: a flat list that new connections are compared with,
/// built once and then only read.
@safe
struct MarkClassifier {
    /// One rule with one range of ports each way; a rule with several makes several.
    private struct Row {
        var source: UInt32
        var sourceMask: UInt32
        var destination: UInt32
        var destinationMask: UInt32
        var sourcePorts: ClosedRange<UInt16>
        var destinationPorts: ClosedRange<UInt16>
        /// 0 is any.
        var transport: UInt8
        /// `anyPort` is any.
        var ingress: PortIndex
        var mark: UInt32
    }

    private static let anyPort = PortIndex.max
    private static let everyPort: ClosedRange<UInt16> = 0...UInt16.max

    private let rows: UnsafeMutablePointer<Row>
    private let count: Int

    /// Takes its memory from the heap; rules for interfaces that are not served apply to nothing.
    init(_ rules: [MarkRule], ports: [Port]) {
        let rows = rules.flatMap { MarkClassifier.rows($0, ports) }
        count = rows.count
        unsafe self.rows = .allocate(capacity: max(count, 1))
        for (index, row) in rows.enumerated() {
            unsafe (self.rows + index).initialize(to: row)
        }
    }

    func deallocate() { unsafe rows.deallocate() }

    private static func rows(_ rule: MarkRule, _ ports: [Port]) -> [Row] {
        var ingress = anyPort
        if let name = rule.interface {
            guard let port = ports.first(where: { $0.name == name }) else { return [] }
            ingress = port.index
        }
        let source = rule.source ?? .all
        let destination = rule.destination ?? .all
        let sourcePorts = rule.sourcePorts.isEmpty ? [everyPort] : rule.sourcePorts
        let targets = rule.destinationPorts.isEmpty ? [everyPort] : rule.destinationPorts
        return sourcePorts.flatMap { from in
            targets.map { to in
                Row(
                    source: source.address.v4, sourceMask: source.mask,
                    destination: destination.address.v4, destinationMask: destination.mask,
                    sourcePorts: from, destinationPorts: to,
                    transport: rule.transport?.rawValue ?? 0, ingress: ingress, mark: rule.mark)
            }
        }
    }

    /// The mark of a flow's packet (IPv4): the last rule that applies says it, else it keeps the one
    /// it came with.
    func mark(of packet: Packet, ingress: PortIndex, given mark: UInt32) -> UInt32 {
        let source = packet.source.v4
        let destination = packet.destination.v4
        var mark = mark
        for index in 0..<count {
            let row = unsafe rows[index]
            guard destination & row.destinationMask == row.destination,
                source & row.sourceMask == row.source,
                row.transport == 0 || row.transport == packet.protocolNumber,
                row.destinationPorts.contains(packet.destinationPort),
                row.sourcePorts.contains(packet.sourcePort),
                row.ingress == MarkClassifier.anyPort || row.ingress == ingress
            else { continue }
            mark = row.mark
        }
        return mark
    }
}
