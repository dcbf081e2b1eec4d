/// Finds out what the host's stack must not see because marking rules lead it to services by mark.
///
/// It takes more than the rules mark where that is simpler, never less: what is taken and then not
/// served goes on to the host by the door.
struct MarkedTraffic {
    private let rules: [MarkRule]
    /// The marks that packets can have before each rule; nil when there are too many to tell.
    private let possible: [Set<MarkState>]?

    /// More different marks than this are not followed one by one.
    private static let mostStates = 1024
    /// So many addresses and ports are named one by one, more of them as a block.
    private static let mostEndpoints = 256

    init(_ rules: [MarkRule]) {
        self.rules = rules
        var states: [Set<MarkState>] = [[MarkState(packet: 0)]]
        for rule in rules {
            let before = states[states.count - 1]
            let after = before.union(before.map { $0.after(rule.action) })
            states.append(after)
            if after.count > MarkedTraffic.mostStates {
                possible = nil
                return
            }
        }
        possible = states
    }

    /// Adds what rules lead to services of these marks of one family.
    func add(_ marks: Set<UInt32>, _ family: AddressFamily, to served: inout ServedTraffic) {
        guard !marks.isEmpty else { return }
        let leading = leading(to: marks)
        // The chains that a rule stands in: the rule that leads into each, and where it ends.
        var chains: [(rule: MarkRule, end: Int)] = []
        for (index, rule) in rules.enumerated() {
            chains.removeAll { $0.end <= index }
            if case .unless(let count) = rule.action {
                chains.append((rule, index + 1 + count))
            } else if leading[index] {
                add([rule] + chains.map(\.rule), family, to: &served)
            }
        }
    }

    /// Which rules can give a packet one of these marks.
    ///
    /// Whatever mark a packet has in the end, the last rule that touched it gave it: rules that only
    /// come before such a one need not be taken.
    private func leading(to marks: Set<UInt32>) -> [Bool] {
        rules.indices.map { index in
            let action = rules[index].action
            switch action {
            case .set, .restore: break
            default: return false
            }
            guard let possible else { return true }
            return possible[index].contains { marks.contains($0.after(action).packet) }
        }
    }

    /// What all of these rules apply to, as far as destinations tell it.
    private func add(
        _ rules: [MarkRule], _ family: AddressFamily, to served: inout ServedTraffic
    ) {
        guard rules.allSatisfy({ ($0.onlyFamily ?? family) == family }) else { return }
        var network = MarkRule.Prefix(
            address: family == .v4 ? .anyV4 : .anyV6, length: 0)
        var transports: Set<TransportProtocol> = [.tcp, .udp, .sctp]
        var ports: [ClosedRange<UInt16>] = []
        for rule in rules {
            for wanted in rule.destinations where wanted.length > network.length {
                network = MarkRule.Prefix(address: wanted.address, length: wanted.length)
            }
            if let only = rule.transport {
                if rule.inverted.contains(.transport) {
                    transports.remove(only)
                } else {
                    transports.formIntersection([only])
                }
            }
            if !rule.destinationPorts.isEmpty, !rule.inverted.contains(.destinationPorts) {
                ports = rule.destinationPorts
            }
        }
        if ports.isEmpty { ports = [0...UInt16.max] }
        for transport in transports {
            for range in ports { add(network, transport, range, to: &served) }
        }
    }

    private func add(
        _ network: MarkRule.Prefix, _ transport: TransportProtocol, _ ports: ClosedRange<UInt16>,
        to served: inout ServedTraffic
    ) {
        let hostBits = (network.address.isV4 ? 32 : 128) - Int(network.length)
        let isEveryPort = ports == 0...UInt16.max
        let each = isEveryPort ? 0...0 : ports
        guard hostBits <= 8, each.count << hostBits <= MarkedTraffic.mostEndpoints,
            isEveryPort || ports.lowerBound != 0
        else {
            served.blocks.insert(
                ServedTraffic.Block(network: network, transport: transport, ports: ports))
            return
        }
        for offset in 0..<UInt64(1) << UInt64(hostBits) {
            var address = network.address
            address.low |= offset
            for port in each {
                served.services.insert(
                    ServedTraffic.Endpoint(address: address, transport: transport, port: port))
            }
        }
    }
}

extension MarkState {
    fileprivate func after(_ action: MarkRule.Action) -> MarkState {
        var state = self
        state.apply(action)
        return state
    }
}

extension MarkRule {
    /// Prefixes that hold every destination the rule applies to.
    fileprivate var destinations: [Prefix] {
        var all: [Prefix] = []
        if let destination, !inverted.contains(.destination) { all.append(destination) }
        if let destinationSpan, !inverted.contains(.destinationSpan) {
            all.append(Prefix(around: destinationSpan))
        }
        return all
    }
}
