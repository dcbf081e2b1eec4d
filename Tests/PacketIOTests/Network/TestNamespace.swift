import Glibc
import Posix
import Synchronization

/// A network namespace of one test; goes with its end.
final class TestNamespace: Sendable {
    private static let counter = Atomic<Int>(0)

    let name: String

    init(_ role: String) throws {
        let number = Self.counter.add(1, ordering: .relaxed).newValue
        name = "sur-\(getpid())-\(number)-\(role)"
        try Shell.run("ip netns add \(name)")
        try Shell.run("ip -n \(name) link set lo up")
    }

    deinit {
        _ = Shell.status("ip netns del \(name)")
    }

    /// Runs a command inside.
    @discardableResult
    func run(_ command: String) throws -> String {
        try Shell.run("ip netns exec \(name) sh -c '\(command)'")
    }

    func status(_ command: String) -> Int32 {
        Shell.status("ip netns exec \(name) sh -c '\(command)'")
    }

    /// Runs a body on this thread with the thread moved inside; there must be no `await` in it.
    func inside<Value>(_ body: () throws -> Value) throws -> Value {
        let home = unsafe open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)
        try NetworkNamespace.enter(path: "/run/netns/\(name)")
        defer {
            try? NetworkNamespace.enter(path: "/proc/self/fd/\(home)")
            close(home)
        }
        return try body()
    }

    /// A pair of connected Ethernet interfaces, one here and one there.
    func connect(_ interface: String, to other: TestNamespace, _ far: String) throws {
        try Shell.run(
            "ip link add \(interface) netns \(name) type veth peer name \(far) netns \(other.name)")
        try Shell.run("ip -n \(name) link set \(interface) up")
        try Shell.run("ip -n \(other.name) link set \(far) up")
        try TestNetwork.waitUntilUp([(name, interface), (other.name, far)])
    }

    /// Whether this machine lets the tests make namespaces.
    static let available = getuid() == 0 && Shell.status("ip netns list") == 0

    /// Whether this kernel has VLAN interfaces.
    static let hasVLANs: Bool = {
        guard available, let place = try? TestNamespace("vlan") else { return false }
        return place.status("ip link add v1 link lo type vlan id 1") == 0
    }()
}

/// Commands of the system.
enum Shell {
    struct Failure: Error {
        var command: String
        var status: Int32
        var output: String
    }

    @discardableResult
    static func run(_ command: String) throws -> String {
        let (status, output) = execute(command)
        guard status == 0 else { throw Failure(command: command, status: status, output: output) }
        return output
    }

    static func status(_ command: String) -> Int32 { execute(command).status }

    private static func execute(_ command: String) -> (status: Int32, output: String) {
        guard let pipe = unsafe popen(command + " 2>&1", "r") else { return (-1, "popen") }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe fread(&piece, 1, piece.count, pipe)
            if count == 0 { break }
            bytes += piece[..<count]
        }
        let status = unsafe pclose(pipe)
        return (status >> 8 | (status & 0x7f), String(decoding: bytes, as: UTF8.self))
    }
}

/// Asks again for a while until something holds.
func eventually(within seconds: Double = 5, _ condition: () throws -> Bool) rethrows -> Bool {
    for _ in 0..<Int(seconds * 50) {
        if try condition() { return true }
        usleep(20_000)
    }
    return try condition()
}
