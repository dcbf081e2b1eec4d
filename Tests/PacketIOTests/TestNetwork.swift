import Foundation
import Posix
import Synchronization

/// Network namespaces of one test, gone when it ends.
final class TestNetwork {
    /// Whether this process may make namespaces at all.
    static let isPossible = Identity.user == 0 && Files.exists("/sbin/ip")

    private static let counter = Atomic<Int>(0)
    private let prefix: String
    private(set) var namespaces: [String] = []

    init() {
        let number = Self.counter.wrappingAdd(1, ordering: .relaxed).newValue
        prefix = "afp\(Identity.process)x\(number)"
    }

    deinit {
        for name in namespaces { _ = try? Self.run("ip netns del \(name)") }
    }

    /// Makes a namespace without IPv6, so that nothing talks unasked.
    func addNamespace(_ name: String) throws -> String {
        let full = "\(prefix)\(name)"
        try Self.run("ip netns add \(full)")
        namespaces.append(full)
        try Self.run(
            "ip netns exec \(full) sysctl -qw net.ipv6.conf.default.disable_ipv6=1"
                + " net.ipv6.conf.all.disable_ipv6=1")
        return full
    }

    /// Joins `name` in `namespace` and `peer` in `other` by a cable; both ends are up afterwards.
    func addCable(_ name: String, in namespace: String, _ peer: String, in other: String) throws {
        try Self.run(
            "ip -n \(namespace) link add \(name) type veth peer name \(peer) netns \(other)")
        try Self.run("ip -n \(namespace) link set \(name) up")
        try Self.run("ip -n \(other) link set \(peer) up")
        try Self.waitUntilUp([(namespace, name), (other, peer)])
    }

    /// Waits until these interfaces send: the kernel lets one do so some time after its carrier came, and
    /// a busy machine takes its time.
    static func waitUntilUp(_ interfaces: [(namespace: String, name: String)]) throws {
        for (namespace, name) in interfaces {
            try run(
                """
                for _ in $(seq 500); do
                    ip -n \(namespace) link show \(name) | grep -q 'state UP' && exit
                    sleep 0.02
                done
                echo '\(name) in \(namespace) does not come up'; exit 1
                """)
        }
    }

    /// Runs a command of this host's shell to its end; its output, or an error that holds it.
    @discardableResult
    static func run(_ command: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", command]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let text = String(decoding: output, as: UTF8.self)
        guard process.terminationStatus == 0 else {
            throw CommandFailure(text: "\(command): \(text)")
        }
        return text
    }

    /// Starts a command that goes on while the test does something else.
    static func start(_ command: String) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", "exec \(command)"]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    /// Runs `body` on a thread of its own inside a namespace.
    static func inside<Value: Sendable>(
        _ namespace: String, _ body: @escaping @Sendable () throws -> Value
    ) throws -> Value {
        let outcome = Mutex<Result<Value, any Error>?>(nil)
        let box = Box(outcome: outcome)
        let thread = try Thread(name: "inside") {
            let result = Result {
                try NetworkNamespace.enter(path: "/run/netns/\(namespace)")
                return try body()
            }
            box.outcome.withLock { $0 = result }
        }
        thread.join()
        guard let result = box.outcome.withLock({ $0 }) else {
            throw CommandFailure(text: "thread ended without a result")
        }
        return try result.get()
    }

    struct CommandFailure: Error, CustomStringConvertible {
        var text: String
        var description: String { text }
    }

    private final class Box<Value: Sendable>: Sendable {
        let outcome: Mutex<Result<Value, any Error>?>

        init(outcome: consuming Mutex<Result<Value, any Error>?>) {
            self.outcome = outcome
        }
    }
}
