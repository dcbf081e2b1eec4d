/// The marking rules as workers read them: a flat list that new connections are compared with,
/// built once and then only read.
@safe
struct MarkClassifier {
    /// One rule; lists of ports and interfaces lie in `ranges`.
    private struct Row {
        var tests: MarkRule.Parts = []
        var inverted: MarkRule.Parts
        /// Nil is both.
        var family: AddressFamily?
        var transport: TransportProtocol = .any
        var source = MarkRule.Prefix(address: .anyV4, length: 0)
        var destination = MarkRule.Prefix(address: .anyV4, length: 0)
        var sourceSpan = MarkRule.Span(.anyV4, .anyV4)
        var destinationSpan = MarkRule.Span(.anyV4, .anyV4)
        var sourcePorts = 0..<0
        var destinationPorts = 0..<0
        var eitherPorts = 0..<0
        var ingress = 0..<0
        var flags = MarkRule.Flags(mask: 0, set: 0)
        var icmp = MarkRule.ICMP(type: 0)
        var carried = MarkRule.Bits(0)
        var connection = MarkRule.Bits(0)
        var isFromHost: Bool?
        var isToHost: Bool?
        var action: MarkRule.Action
    }

    /// What rules ask of a packet, read once.
    struct Subject {
        var source: IPAddress
        var destination: IPAddress
        var transport: TransportProtocol
        /// False where the packet ends before its ports, or has none.
        var hasPorts: Bool
        var sourcePort: UInt16
        var destinationPort: UInt16
        var tcpFlags: UInt8
        /// Type and code; nil for other packets.
        var icmp: (type: UInt8, code: UInt8)?
        var ingress: PortIndex
    }

    private let rows: UnsafeMutablePointer<Row>
    private let count: Int
    private let ranges: UnsafeMutablePointer<ClosedRange<UInt16>>

    /// Takes its memory from the heap.
    ///
    /// Rules for interfaces that are not served apply to nothing.
    init(_ rules: [MarkRule], ports: [Port]) {
        var lists: [ClosedRange<UInt16>] = []
        let made = rules.map { MarkClassifier.row($0, ports, &lists) }
        count = made.count
        unsafe rows = .allocate(capacity: max(count, 1))
        for (index, row) in made.enumerated() {
            unsafe (rows + index).initialize(to: row)
        }
        unsafe ranges = .allocate(capacity: max(lists.count, 1))
        for (index, range) in lists.enumerated() {
            unsafe (ranges + index).initialize(to: range)
        }
    }

    func deallocate() {
        unsafe rows.deallocate()
        unsafe ranges.deallocate()
    }

    private static func row(
        _ rule: MarkRule, _ ports: [Port], _ lists: inout [ClosedRange<UInt16>]
    ) -> Row {
        var row = Row(inverted: rule.inverted, family: rule.onlyFamily, action: rule.action)
        func list(_ ranges: [ClosedRange<UInt16>], _ part: MarkRule.Parts) -> Range<Int> {
            if !ranges.isEmpty { row.tests.insert(part) }
            lists += ranges
            return lists.count - ranges.count..<lists.count
        }
        func value<Value>(_ value: Value?, _ part: MarkRule.Parts, or other: Value) -> Value {
            if value != nil { row.tests.insert(part) }
            return value ?? other
        }
        row.transport = value(rule.transport, .transport, or: row.transport)
        row.source = value(rule.source, .source, or: row.source)
        row.destination = value(rule.destination, .destination, or: row.destination)
        row.sourceSpan = value(rule.sourceSpan, .sourceSpan, or: row.sourceSpan)
        row.destinationSpan = value(rule.destinationSpan, .destinationSpan, or: row.destinationSpan)
        row.sourcePorts = list(rule.sourcePorts, .sourcePorts)
        row.destinationPorts = list(rule.destinationPorts, .destinationPorts)
        row.eitherPorts = list(rule.eitherPorts, .eitherPorts)
        if let name = rule.interface {
            let served = ports.filter { matches($0.name, name) }
            row.ingress = list(served.map { $0.index...$0.index }, .interface)
            row.tests.insert(.interface)
        }
        row.flags = value(rule.flags, .flags, or: row.flags)
        row.icmp = value(rule.icmp, .icmp, or: row.icmp)
        row.carried = value(rule.carried, .carried, or: row.carried)
        row.connection = value(rule.connection, .connection, or: row.connection)
        row.isFromHost = rule.isFromHost
        row.isToHost = rule.isToHost
        return row
    }

    /// A trailing + stands for any end of the name.
    private static func matches(_ name: String, _ pattern: String) -> Bool {
        pattern.hasSuffix("+") ? name.hasPrefix(pattern.dropLast()) : name == pattern
    }

    /// The mark of a packet that comes with this one, when all rules have had their say.
    func mark(
        _ subject: Subject, given mark: UInt32, hosts: EndpointIndex, telling narrator: Narrator?
    ) -> UInt32 {
        var state = MarkState(packet: mark)
        var index = 0
        while index < count {
            let row = unsafe rows[index]
            let number = index
            index += 1
            let applies = applies(row, subject, state, hosts)
            let before = state.packet
            defer {
                if applies {
                    narrator?.note(
                        .markingRule(rule: number, from: before, to: state.packet))
                }
            }
            switch row.action {
            case .accept: if applies { return state.packet }
            case .skip(let distance): if applies { index += distance }
            case .unless(let distance): if !applies { index += distance }
            default: if applies { state.apply(row.action) }
            }
        }
        return state.packet
    }

    private func applies(
        _ row: Row, _ subject: Subject, _ state: MarkState, _ hosts: EndpointIndex
    ) -> Bool {
        if let family = row.family, family != subject.source.family { return false }
        func holds(_ part: MarkRule.Parts, _ test: () -> Bool) -> Bool {
            !row.tests.contains(part) || test() != row.inverted.contains(part)
        }
        func isHost(_ address: IPAddress) -> Bool { hosts.find(.address(nil, address)) != nil }
        // A packet without the field that a test is about does not pass it, turned round or not.
        let portTests: MarkRule.Parts = [.sourcePorts, .destinationPorts, .eitherPorts]
        if !row.tests.isDisjoint(with: portTests), !subject.hasPorts { return false }
        if row.tests.contains(.icmp), subject.icmp == nil { return false }
        if row.tests.contains(.flags), subject.transport != .tcp || !subject.hasPorts {
            return false
        }
        return holds(.destination) { row.destination.contains(subject.destination) }
            && holds(.source) { row.source.contains(subject.source) }
            && holds(.transport) { row.transport == subject.transport }
            && holds(.destinationPorts) { contains(row.destinationPorts, subject.destinationPort) }
            && holds(.sourcePorts) { contains(row.sourcePorts, subject.sourcePort) }
            && holds(.eitherPorts) {
                contains(row.eitherPorts, subject.sourcePort)
                    || contains(row.eitherPorts, subject.destinationPort)
            }
            && holds(.interface) { contains(row.ingress, subject.ingress) }
            && holds(.sourceSpan) { row.sourceSpan.contains(subject.source) }
            && holds(.destinationSpan) { row.destinationSpan.contains(subject.destination) }
            && holds(.flags) { subject.tcpFlags & row.flags.mask == row.flags.set }
            && holds(.icmp) {
                subject.icmp.map { row.icmp.type == $0.type && row.icmp.codes.contains($0.code) }
                    ?? false
            }
            && holds(.carried) { state.packet & row.carried.mask == row.carried.value }
            && holds(.connection) { state.connection & row.connection.mask == row.connection.value }
            && (row.isToHost.map { $0 == isHost(subject.destination) } ?? true)
            && (row.isFromHost.map { $0 == isHost(subject.source) } ?? true)
    }

    private func contains(_ list: Range<Int>, _ port: UInt16) -> Bool {
        for index in list where unsafe ranges[index].contains(port) { return true }
        return false
    }
}

/// The mark of a packet and that of its connection, on their way through rules.
struct MarkState: Hashable {
    var packet: UInt32
    var connection: UInt32 = 0

    /// Does what an action does to marks (netfilter's MARK and CONNMARK targets).
    mutating func apply(_ action: MarkRule.Action) {
        switch action {
        case .set(let bits): packet = packet & ~bits.mask ^ bits.value
        case .setConnection(let bits): connection = connection & ~bits.mask ^ bits.value
        case .save(let packetMask, let connectionMask):
            connection = connection & ~connectionMask ^ (packet & packetMask)
        case .restore(let packetMask, let connectionMask):
            packet = packet & ~packetMask ^ (connection & connectionMask)
        case .accept, .skip, .unless: break
        }
    }
}

extension MarkRule.Span {
    fileprivate func contains(_ address: IPAddress) -> Bool {
        let isFrom =
            address.high > first.high || (address.high == first.high && address.low >= first.low)
        let isTo =
            address.high < last.high || (address.high == last.high && address.low <= last.low)
        return isFrom && isTo
    }
}
