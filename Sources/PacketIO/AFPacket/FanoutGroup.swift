internal import CPacketIO
internal import LVS
internal import Posix

/// The packet sockets of one interface, one for each worker, among which the kernel shares its frames.
///
/// A program shares them by clients (`SteeringProgram`); where the kernel takes none, by a hash of
/// both ends, which keeps a flow's order as well but may lead its two directions to different workers.
/// Used on one thread: by whoever opens drivers, then by the housekeeper.
final class FanoutGroup {
    private let interface: String
    /// Workers that share the interface.
    let workers: Int
    private let redirects: RedirectMap?
    private var number: Int32 = -1
    private var index: Int32 = 0
    /// Why frames are not shared by clients; nil when they are.
    private(set) var reasonForHash: String?

    /// `redirects` knows what is served; nil when the kernel has no such map, for that reason.
    init(interface: String, workers: Int, redirects: RedirectMap?, reason: String?) {
        self.interface = interface
        self.workers = workers
        self.redirects = redirects
        reasonForHash = reason
    }

    /// Takes a worker's socket in; workers come in their order, the first makes the group.
    ///
    /// The kernel numbers the sockets as they come. One that was opened on an interface of the same
    /// name that has been deleted since is refused, and to be opened again.
    func join(_ socket: Int32, worker: Int, interface index: Int32) throws(DriverError) {
        if worker == 0 {
            number = -1
            self.index = index
        }
        guard number >= 0 || worker == 0, self.index == index else {
            throw DriverError(
                .noSuchInterface, "\(interface): the interface was replaced once more; again")
        }
        let program = reasonForHash == nil ? load() : -1
        defer { if program >= 0 { bpf_close(program) } }
        let kind = reasonForHash == nil ? AFPACKET_BY_PROGRAM : AFPACKET_BY_HASH
        guard unsafe afpacket_join(socket, Int32(kind), &number) == 0 else {
            throw refusal(SystemError(last: "PACKET_FANOUT", on: interface))
        }
        guard program >= 0, worker == 0 else { return }
        guard afpacket_steer(socket, program) == 0 else {
            throw DriverError(
                SystemError(last: "PACKET_FANOUT_DATA"), interface: interface)
        }
    }

    /// The program's descriptor; -1 where the kernel takes none, and then there is a reason.
    private func load() -> Int32 {
        guard let redirects else { return -1 }
        let code = SteeringProgram.instructions(map: redirects.descriptor)
        let program = unsafe bpf_load_filter(code, UInt32(code.count), nil, 0)
        if program < 0 {
            reasonForHash = SystemError(last: "load the program that shares frames").description
        }
        return program
    }

    private func refusal(_ error: SystemError) -> DriverError {
        let invalid: Int32 = 22
        // Before Linux 6.13 only sockets of an interface that is up can share it.
        if error.code == invalid,
            let found = try? InterfaceDescription(named: interface), !found.isUp
        {
            return DriverError(
                .system,
                "\(interface): it is down, and this kernel shares an interface among workers only"
                    + " when it is up (ip link set dev \(interface) up)")
        }
        return DriverError(error, interface: interface)
    }

    /// How frames come to the workers, for `status`.
    var summary: String {
        guard let reasonForHash else { return "\(workers) workers, shared by clients" }
        return
            "\(workers) workers, shared by a hash of both ends (\(reasonForHash)), so that requests and"
            + " answers of a connection may meet different ones"
    }
}
