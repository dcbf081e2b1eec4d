internal import CPacketIO
internal import LVS
internal import Posix

extension RedirectMap {
    /// Has the kernel run the program of an interface with this MAC address over a frame: whether it
    /// redirects it to the director.
    ///
    /// No interface takes part.
    package func redirects(
        _ frame: [UInt8], station: UInt64, hostVLANs: Set<UInt16> = []
    ) throws(DriverError) -> Bool {
        let subject = RedirectProgram.Subject(
            station: station, hostVLANs: hostVLANs, blocks: blocks)
        let sockets = bpf_make_socket_map(1)
        guard sockets >= 0 else {
            throw .redirect(SystemError(last: "make a map of AF_XDP sockets"), interface: "trial")
        }
        defer { bpf_close(sockets) }
        // Without a socket in the map a redirection has the answer asked for here.
        let program = try RedirectAttachment.load(
            subject, map: self, sockets: sockets, "trial", withoutSocket: RedirectProgram.drop)
        defer { bpf_close(program) }
        let answer = unsafe bpf_run(program, frame, UInt32(frame.count))
        guard answer >= 0 else {
            throw .redirect(SystemError(last: "run the XDP program"), interface: "trial")
        }
        return answer == RedirectProgram.drop
    }

    /// A map that no interface uses yet.
    package convenience init() throws(DriverError) { try self.init(interface: "xdp") }
}
