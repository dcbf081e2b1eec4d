import PacketIO
import Posix
import Testing

/// The host's own ports beside those of local addresses that it has itself.
@Suite(
    .serialized,
    .enabled(if: TestNamespace.available, "needs root: makes network namespaces"))
struct ReservedPortsTests {
    private struct Box: @unchecked Sendable { var ports = ReservedPorts() }

    private let host: TestNamespace

    init() throws {
        host = try TestNamespace("host")
        try host.run("sysctl -qw net.ipv4.ip_local_port_range=\"32768 60999\"")
    }

    private func reserved() throws -> String {
        try host.run("cat /proc/sys/net/ipv4/ip_local_reserved_ports").filter { $0 != "\n" }
    }

    @Test func onlyWhatWasAddedIsTakenBack() throws {
        let box = Box()
        try host.run("sysctl -qw net.ipv4.ip_local_reserved_ports=2049,5000-5100,40000")
        try host.inside { try box.ports.reserve(5050...5200) }
        #expect(try reserved() == "2049,5000-5200,40000")
        // Somebody else adds some in between.
        try host.run("sysctl -qw net.ipv4.ip_local_reserved_ports=2049,5000-5200,7000,40000")
        try host.inside { try box.ports.reserve(5190...5195) }
        #expect(try reserved() == "2049,5000-5100,5190-5195,7000,40000")
        #expect(!box.ports.isEmpty)
        try host.inside { try box.ports.reserve(nil) }
        #expect(try reserved() == "2049,5000-5100,7000,40000")
        #expect(box.ports.isEmpty)
    }

    @Test func allPortsToTheLastCanBeReserved() throws {
        let box = Box()
        try host.inside { try box.ports.reserve(1024...65535) }
        #expect(try reserved() == "1024-65535")
        try host.inside { try box.ports.reserve(65535...65535) }
        #expect(try reserved() == "65535")
        try host.inside { try box.ports.reserve(nil) }
        #expect(try reserved() == "")
    }

    @Test func theHostKeepsAThousandPorts() throws {
        let box = Box()
        let spare = { (range: ClosedRange<UInt16>) throws -> ClosedRange<UInt16>? in
            try host.inside { try box.ports.spare(of: range) }
        }
        #expect(try spare(1024...32767) == 1024...32767)
        #expect(try spare(1024...59999) == 1024...59999, "1,000 are left")
        #expect(try spare(1024...60000) == 1024...32767, "999 would be left")
        #expect(try spare(1024...65535) == 1024...32767)
        #expect(try spare(31000...65535) == 61000...65535, "the longer part")
        #expect(try spare(32768...60999) == nil)
        #expect(try spare(33000...60999) == nil)
        // What others have reserved is none of the host's either; what this director has, is.
        try host.run("sysctl -qw net.ipv4.ip_local_reserved_ports=50000-60999")
        #expect(try spare(1024...48999) == 1024...48999)
        #expect(try spare(1024...49000) == 1024...32767)
        try host.run("sysctl -qw net.ipv4.ip_local_reserved_ports=\"\"")
        try host.inside { try box.ports.reserve(1024...59000) }
        #expect(try spare(1024...59500) == 1024...59500)
    }

    @Test func theKernelGivesReservedPortsToNobody() throws {
        let box = Box()
        try host.run("ip link set lo up; sysctl -qw net.ipv4.ip_local_port_range=\"50000 50099\"")
        try host.inside { try box.ports.reserve(50000...50089) }
        let program =
            "import socket; got = [socket.socket() for _ in range(10)];"
            + " [s.bind((str(), 0)) for s in got];"
            + " print(*sorted(s.getsockname()[1] for s in got))"
        let listed = try host.run("python3 -c \"\(program)\"")
        let ports = listed.split { $0 == " " || $0 == "\n" }.map(String.init)
        #expect(ports == (50090...50099).map(String.init), "\(listed)")
    }
}
