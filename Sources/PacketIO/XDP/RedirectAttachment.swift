internal import CPacketIO
internal import LVS
internal import Posix

/// The XDP program of one interface and its attachment there, which ends with this object or with the
/// process, however that ends.
///
/// Used by the housekeeper's thread only.
final class RedirectAttachment {
    private static let logBytes = 1 << 18

    let name: String
    /// Index of the interface.
    let interface: Int32
    /// Its receive queues when the program was attached.
    let queues: Int
    let isGeneric: Bool
    /// Why the interface does not take the program in native mode; empty where it does.
    let reasonForGeneric: String
    private let map: RedirectMap
    private let sockets: Int32
    private let link: Int32
    private var subject: RedirectProgram.Subject
    /// VLANs the host serves by interfaces of its own; `follow` has the program know them.
    var wantedVLANs: Set<UInt16>

    /// Loads the program and attaches it, native where the interface offers that, else generic.
    init(
        interface: InterfaceDescription, queues: UInt32, map: RedirectMap,
        subject: RedirectProgram.Subject
    ) throws(DriverError) {
        let name = interface.name
        let sockets = bpf_make_socket_map(queues)
        guard sockets >= 0 else {
            throw .redirect(SystemError(last: "make a map of AF_XDP sockets"), interface: name)
        }
        let program: Int32
        do throws(DriverError) {
            program = try Self.load(subject, map: map, sockets: sockets, name)
        } catch {
            bpf_close(sockets)
            throw error
        }
        defer { bpf_close(program) }
        var isGeneric = false
        var reason = ""
        var link = bpf_attach_xdp(program, interface.index, 0)
        if link < 0 {
            let native = SystemError(last: "attach")
            if !Self.isOccupied(native), !native.isPermission, !native.isMissingDevice {
                isGeneric = true
                reason = native.reason
                link = bpf_attach_xdp(program, interface.index, 1)
            }
            guard link >= 0 else {
                let error = isGeneric ? SystemError(last: "attach") : native
                bpf_close(sockets)
                throw Self.refusal(error, name)
            }
        }
        self.name = name
        self.interface = interface.index
        self.queues = Int(queues)
        self.isGeneric = isGeneric
        reasonForGeneric = reason
        self.map = map
        self.sockets = sockets
        self.link = link
        self.subject = subject
        wantedVLANs = subject.hostVLANs
    }

    deinit {
        bpf_close(link)
        bpf_close(sockets)
    }

    /// Whether the interface was deleted.
    var isDetached: Bool { bpf_link_interface(link) == 0 }

    /// Has frames of a receive queue go to a socket from now on.
    func redirect(queue: Int, to socket: Int32) throws(DriverError) {
        var key = UInt32(queue)
        var value = UInt32(bitPattern: socket)
        guard unsafe bpf_set(sockets, &key, &value) == 0 else {
            throw .redirect(
                SystemError(last: "put a socket into the map of receive queue \(queue)"),
                interface: name)
        }
    }

    func setBlocks(_ blocks: Set<ServedTraffic.Block>) throws(DriverError) {
        try replace { $0.blocks = blocks }
    }

    /// Takes over the interface's MAC address, should it have another one now, and the host's VLANs.
    func follow() throws(DriverError) {
        guard !isDetached else { return }
        var station = subject.station
        do throws(DriverError) {
            station = try InterfaceDescription(named: name).hardware
        } catch {
            // Gone or renamed: `refresh` finds out.
        }
        try replace {
            $0.station = station
            $0.hostVLANs = wantedVLANs
        }
    }

    private func replace(_ change: (inout RedirectProgram.Subject) -> Void) throws(DriverError) {
        var wanted = subject
        change(&wanted)
        guard wanted != subject, !isDetached else { return }
        let program = try Self.load(wanted, map: map, sockets: sockets, name)
        defer { bpf_close(program) }
        guard bpf_replace(link, program) == 0 else {
            throw .redirect(SystemError(last: "replace the XDP program"), interface: name)
        }
        subject = wanted
    }

    /// A descriptor of the program, which the kernel has accepted.
    static func load(
        _ subject: RedirectProgram.Subject, map: RedirectMap, sockets: Int32, _ name: String,
        withoutSocket: Int32 = RedirectProgram.pass
    ) throws(DriverError) -> Int32 {
        guard
            let code = RedirectProgram.instructions(
                subject, map: map.descriptor, sockets: sockets, withoutSocket: withoutSocket)
        else {
            throw DriverError(
                .system,
                "\(name): \(subject.blocks.count) blocks of marked addresses are more than an XDP"
                    + " program has room for; use afpacket:\(name)")
        }
        let program = unsafe bpf_load_xdp(code, UInt32(code.count), nil, 0)
        guard program < 0 else { return program }
        let error = SystemError(last: "load the XDP program")
        // EPERM is a privilege; EACCES the verifier's, who has a word to say.
        guard error.code != 1 else { throw .redirect(error, interface: name) }
        throw DriverError(.system, "\(name): \(error)\n\(verdict(on: code))")
    }

    /// What the kernel's verifier says against a program, its last lines.
    private static func verdict(on code: [UInt64]) -> String {
        var log = [CChar](repeating: 0, count: logBytes)
        let again = unsafe bpf_load_xdp(code, UInt32(code.count), &log, UInt32(logBytes))
        if again >= 0 { bpf_close(again) }
        let text = String(
            decoding: log.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text.split(separator: "\n").suffix(12).joined(separator: "\n")
    }

    /// Another program is attached: EBUSY in the same mode, EEXIST in the other.
    private static func isOccupied(_ error: SystemError) -> Bool {
        let exists: Int32 = 17
        return error.isInUse || error.code == exists
    }

    private static func refusal(_ error: SystemError, _ name: String) -> DriverError {
        guard isOccupied(error) else {
            return .redirect(
                SystemError("attach the XDP program", code: error.code), interface: name)
        }
        return DriverError(
            .system,
            "\(name): another XDP program is attached, and an interface takes one; remove it"
                + " (ip link set dev \(name) xdp off) or use afpacket:\(name)")
    }
}
