internal import LVS
internal import Posix

/// The block as a BPF filter on the clsact qdisc of each interface.
final class TrafficControlBackend: BlockBackend {
    private let requests: RouteSocket

    /// Tries on each interface that has no filter of an earlier director; the try leaves nothing behind.
    init(interfaces: [IngressBlock.Interface]) throws(IngressBlockError) {
        requests = try Self.attempt("open") { () throws(SystemError) in
            try RouteSocket(events: false)
        }
        let empty = BlockProgram(BlockedSets()).instructions
        for interface in interfaces where !requests.hasFilter(interface: interface.index) {
            try Self.attempt("set filter on \(interface.name)") { () throws(SystemError) in
                try requests.setFilter(interface: interface.index, program: empty)
                try requests.removeFilter(interface: interface.index)
            }
        }
    }

    func replace(
        _ sets: BlockedSets, interfaces: [IngressBlock.Interface]
    ) throws(IngressBlockError) {
        for interface in interfaces {
            let program = BlockProgram(sets, foreignVLANs: interface.foreignVLANs).instructions
            guard program.count <= BlockProgram.capacity else {
                throw IngressBlockError(
                    step: "set filter",
                    reason: "\(program.count) instructions for the services, the kernel takes "
                        + "\(BlockProgram.capacity)")
            }
            try Self.attempt("set filter on \(interface.name)") { () throws(SystemError) in
                try requests.setFilter(interface: interface.index, program: program)
            }
        }
    }

    func change(
        adding: BlockedSets, deleting: BlockedSets, to new: BlockedSets,
        interfaces: [IngressBlock.Interface]
    ) throws(IngressBlockError) {
        guard !adding.isEmpty || !deleting.isEmpty else { return }
        try replace(new, interfaces: interfaces)
    }

    func isInPlace(interfaces: [IngressBlock.Interface]) -> Bool {
        interfaces.allSatisfy { requests.hasFilter(interface: $0.index) }
    }

    func remove(interfaces: [IngressBlock.Interface]) throws(IngressBlockError) {
        for interface in interfaces where requests.hasFilter(interface: interface.index) {
            try Self.attempt("remove filter on \(interface.name)") { () throws(SystemError) in
                try requests.removeFilter(interface: interface.index)
            }
        }
    }

    /// Removes the filter from every interface that has it; returns their names.
    static func clean() throws(IngressBlockError) -> [String] {
        try attempt("clean") { () throws(SystemError) in
            let requests = try RouteSocket(events: false)
            var found: [String] = []
            for case .link(let link, _) in try requests.list(.links)
            where requests.hasFilter(interface: link.index) {
                try requests.removeFilter(interface: link.index)
                found.append(link.name)
            }
            return found
        }
    }

    private static func attempt<Value>(
        _ step: String, _ body: () throws(SystemError) -> Value
    ) throws(IngressBlockError) -> Value {
        do throws(SystemError) {
            return try body()
        } catch {
            throw IngressBlockError(step: step, reason: "\(error)")
        }
    }
}
