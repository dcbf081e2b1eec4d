internal import CPacketIO
internal import LVS
internal import Posix

/// An rtnetlink socket of the network namespace in which it was opened.
@safe
final class RouteSocket {
    /// What can be listed.
    enum Subject: Int32 {
        case links = 1
        case addresses = 2
        case routes = 3
        case neighbours = 4
        case rules = 5
    }

    /// What is asked of the kernel for a neighbour.
    enum Care: Int32 {
        case managed = 1
        case use = 2
        case release = 3
    }

    private let socket: OpaquePointer

    /// Opens a socket for requests, or one that hears of every change.
    init(events: Bool) throws(SystemError) {
        var opened: OpaquePointer?
        let result = unsafe lvs_rt_open(events ? 1 : 0, &opened)
        guard result == 0, let pointer = unsafe opened else {
            throw SystemError("open rtnetlink socket", code: -result)
        }
        unsafe socket = pointer
    }

    deinit {
        unsafe lvs_rt_close(socket)
    }

    /// Readable when something has changed.
    var descriptor: Int32 { unsafe lvs_rt_descriptor(socket) }

    /// Shows every object of one sort; begins again while the kernel's list changes under it.
    func list(_ subject: Subject) throws(SystemError) -> [KernelEvent] {
        let interrupted: Int32 = 4  // EINTR
        for attempt in 0... {
            let collector = Collector()
            let result = unsafe collector.run { visitor, context in
                unsafe lvs_rt_dump(socket, subject.rawValue, visitor, context)
            }
            if result >= 0 { return collector.events }
            // A list that changes all the time is taken as it is after a while; the events that
            // interrupted it bring the rest.
            if result == -interrupted, attempt < 5 { continue }
            if result == -interrupted { return collector.events }
            throw SystemError("list", on: "\(subject)", code: -result)
        }
        return []
    }

    /// What happened since the last call; nil when the kernel lost some of it (ENOBUFS).
    func readEvents() throws(SystemError) -> [KernelEvent]? {
        let lost: Int32 = 105  // ENOBUFS
        let collector = Collector()
        let result = unsafe collector.run { visitor, context in
            unsafe lvs_rt_read(socket, visitor, context)
        }
        if result == -lost { return nil }
        guard result >= 0 else { throw SystemError("read rtnetlink events", code: -result) }
        return collector.events
    }

    func ask(_ care: Care, for neighbour: KernelNeighbour) throws(SystemError) {
        let result = unsafe neighbour.address.withWireBytes { address in
            unsafe lvs_rt_care(
                socket, care.rawValue, neighbour.interface,
                neighbour.address.family.rawValue, address)
        }
        guard result == 0 else { throw SystemError("resolve neighbour", code: -result) }
    }

    /// Adds or deletes the rule that sends packets from an address, protocol and port to a table.
    func changeRule(
        add: Bool, source: ServedTraffic.Endpoint, priority: UInt32, table: UInt32
    ) throws(SystemError) {
        let result = unsafe source.address.withWireBytes { address in
            unsafe lvs_rt_change_rule(
                socket, add ? 1 : 0, source.address.family.rawValue, address,
                source.transport.rawValue, source.port, priority, table)
        }
        guard result == 0 else { throw SystemError("change policy rule", code: -result) }
    }

    /// Deletes every rule with this priority that leads to this table.
    func deleteRules(
        _ family: AddressFamily, priority: UInt32, table: UInt32
    ) throws(SystemError) {
        let none: [Int32] = [2, 97]  // ENOENT; EAFNOSUPPORT on a host without IPv6
        while true {
            let result = unsafe lvs_rt_delete_rule(socket, family.rawValue, priority, table)
            if none.contains(-result) { return }
            guard result == 0 else { throw SystemError("delete policy rule", code: -result) }
        }
    }

    /// Deletes every route of a table.
    func flush(table: UInt32) throws(SystemError) {
        let result = unsafe lvs_rt_flush_table(socket, table)
        guard result == 0 else { throw SystemError("flush table", on: "\(table)", code: -result) }
    }

    /// Adds or deletes the route to a prefix by an interface; by none (0) it lets the next rule decide.
    func changeRoute(
        add: Bool, to prefix: IPAddress, length: UInt8, interface: Int32, table: UInt32
    ) throws(SystemError) {
        let result = unsafe prefix.withWireBytes { bytes in
            unsafe lvs_rt_change_route(
                socket, add ? 1 : 0, prefix.family.rawValue, bytes, length, interface, table)
        }
        guard result == 0 else { throw SystemError("change route", code: -result) }
    }

    func addAddress(_ address: IPAddress, interface: Int32) throws(SystemError) {
        let result = unsafe address.withWireBytes { bytes in
            unsafe lvs_rt_add_address(socket, address.family.rawValue, interface, bytes)
        }
        guard result == 0 else { throw SystemError("add address", code: -result) }
    }

    /// Puts a classic BPF program on the ingress of an interface, in place of the one before.
    func setFilter(interface: Int32, program: [UInt64]) throws(SystemError) {
        // Operation and jumps in the low half, operand in the high half: as the shim wants them.
        let words = program.flatMap { [UInt32(truncatingIfNeeded: $0), UInt32($0 >> 32)] }
        let result = unsafe words.withUnsafeBufferPointer { code in
            unsafe lvs_rt_set_filter(
                socket, interface, code.baseAddress, UInt16(clamping: program.count))
        }
        guard result == 0 else { throw SystemError("set ingress filter", code: -result) }
    }

    func hasFilter(interface: Int32) -> Bool {
        unsafe lvs_rt_has_filter(socket, interface) == 1
    }

    func removeFilter(interface: Int32) throws(SystemError) {
        let result = unsafe lvs_rt_remove_filter(socket, interface)
        guard result == 0 else { throw SystemError("remove ingress filter", code: -result) }
    }
}

/// Takes what the C shim shows and keeps it as values.
private final class Collector {
    var events: [KernelEvent] = []

    typealias Visitor =
        @convention(c) (UnsafePointer<lvs_rt_event>?, UnsafeMutableRawPointer?) -> Void

    func run(_ call: (Visitor, UnsafeMutableRawPointer) -> Int32) -> Int32 {
        let visitor: Visitor = { event, context in
            guard let event = unsafe event, let context = unsafe context else { return }
            let collector = unsafe Unmanaged<Collector>.fromOpaque(context).takeUnretainedValue()
            if let value = unsafe KernelEvent(event.pointee) { collector.events.append(value) }
        }
        return unsafe call(visitor, Unmanaged.passUnretained(self).toOpaque())
    }
}

extension IPAddress {
    /// Lends its bytes, network order, to a call of the shim.
    func withWireBytes(_ body: (UnsafePointer<UInt8>?) -> Int32) -> Int32 {
        unsafe wireBytes.withUnsafeBufferPointer { unsafe body($0.baseAddress) }
    }
}
