import Control
import LVS
import Posix
import Testing

/// Captures as clients of the control socket ask for them, those that mean no good included.
struct CaptureServingTests {
    private static let request = "packets=5 bytes=20000 snap=96 tcp port 80"

    private func write(_ key: String, _ value: String) -> Request {
        Request(NetlinkType.extra, 2) { writer in
            writer.attribute(1, "capture")
            writer.attribute(3, key)
            writer.attribute(4, value)
        }
    }

    private func read(_ name: String) -> Request {
        Request(NetlinkType.extra, 1, dump: true) { $0.attribute(1, name) }
    }

    @Test func `A request reaches the daemon with the number of its client`() {
        let target = Sample.target()
        let executor = CommandExecutor(target: target, daemon: target)
        var mine = Conversation(executor, privileged: true, client: 7)
        var other = Conversation(executor, privileged: true, client: 8)
        #expect(mine.ask(write("start", Self.request)).error == 0)
        #expect(target.capturing.client == 7)
        #expect(target.capturing.request?.packets == 5)
        #expect(target.capturing.request?.bytes == 20_000)
        #expect(target.capturing.request?.snap == 96)
        #expect(target.capturing.request?.filter == "tcp port 80")
        let blocks = [[UInt8]](repeating: [UInt8](repeating: 7, count: 10_000), count: 3)
        target.capturing.blocks = blocks
        let answers = mine.ask(read("capture"))
        #expect(answers.data.allSatisfy { ($0.attributes[2]?.count ?? 0) <= 4096 })
        #expect(answers.data.flatMap { $0.attributes[2] ?? [] } == blocks.flatMap { $0 })
        // Nobody else gets anything of it, and nobody else ends it.
        for request in [read("capture"), read("capture.state"), write("stop", "")] {
            #expect(other.ask(request).error == ErrorNumber.invalid.rawValue)
        }
        #expect(!target.capturing.isStopped)
        #expect(mine.ask(write("stop", "")).error == 0)
        #expect(target.capturing.isStopped)
    }

    @Test(
        arguments: [
            ("start", ""), ("start", "tcp port 80"), ("start", "packets=5 bytes=20000 tcp"),
            ("start", "packets=0 bytes=20000 snap=96"),
            ("start", "packets=-1 bytes=20000 snap=96"),
            ("start", "packets=5 bytes=1 snap=96"),
            ("start", "packets=5 bytes=99999999999999999999 snap=96"),
            ("start", "packets=5 bytes=20000 snap=63"),
            ("start", "packets=5 bytes=20000 snap=262145"),
            ("start", "bytes=20000 packets=5 snap=96"), ("begin", "packets=5"), ("", ""),
            ("stop", ""),
        ])
    func `What is no request is refused and begins nothing`(key: String, value: String) {
        let target = Sample.target()
        let executor = CommandExecutor(target: target, daemon: target)
        var client = Conversation(executor, privileged: true, client: 1)
        #expect(client.ask(write(key, value)).error == ErrorNumber.invalid.rawValue)
        #expect(target.capturing.client == nil)
    }

    @Test func `Nobody captures without privileges`() {
        let target = Sample.target()
        let executor = CommandExecutor(target: target, daemon: target)
        var client = Conversation(executor, privileged: false, client: 1)
        for request in [write("start", Self.request), read("capture")] {
            #expect(client.ask(request).error == ErrorNumber.notPermitted.rawValue)
        }
        #expect(target.capturing.client == nil)
    }

    @Test func `A client that hangs up in the middle of an answer is forgotten`() throws {
        let target = Sample.target()
        let path = temporaryPath()
        let now = Instant(nanoseconds: 1_000_000_000)
        let server = try ControlServer(path: path, target: target, daemon: target, now: now)
        defer { server.close() }
        do {
            let socket = try UnixSocket.connect(path: path)
            try UnixSocket.send(write("start", Self.request).bytes, on: socket)
            for _ in 0..<3 { server.handle(server.interests.map(\.descriptor), now: now) }
            target.capturing.isEndless = true
            try UnixSocket.send(read("capture").bytes, on: socket)
            for _ in 0..<3 { server.handle(server.interests.map(\.descriptor), now: now) }
            #expect(target.capturing.client == 1 && target.capturing.forgotten.isEmpty)
        }
        for _ in 0..<3 { server.handle(server.interests.map(\.descriptor), now: now) }
        #expect(server.connectionCount == 0)
        #expect(target.capturing.forgotten == [1] && target.capturing.client == nil)
    }

    @Test func `A client that never reads holds nobody up and is forgotten in the end`() throws {
        let target = Sample.target()
        let path = temporaryPath()
        var now = Instant(nanoseconds: 1_000_000_000)
        let server = try ControlServer(
            path: path, target: target, daemon: target, now: now, stallSeconds: 5)
        defer { server.close() }
        let lazy = try UnixSocket.connect(path: path)
        let busy = try UnixSocket.connect(path: path)
        try busy.setNonBlocking(true)
        target.capturing.isEndless = true
        try UnixSocket.send(write("start", Self.request).bytes, on: lazy)
        try UnixSocket.send(read("capture").bytes, on: lazy)
        for _ in 0..<20 { server.handle(server.interests.map(\.descriptor), now: now) }
        let given = target.capturing.given
        for _ in 0..<50 { server.handle(server.interests.map(\.descriptor), now: now) }
        // The socket is full, and no block is made that it does not take.
        #expect(target.capturing.given == given && given > 0)
        try UnixSocket.send(Request(.getInformation).bytes, on: busy)
        server.handle(server.interests.map(\.descriptor), now: now)
        var buffer = [UInt8](repeating: 0, count: 4096)
        #expect(try UnixSocket.receive(from: busy, by: &buffer) != nil)
        now = now.advanced(bySeconds: 6)
        server.tick(now)
        #expect(server.connectionCount == 1)
        #expect(target.capturing.forgotten == [1])
    }

    @Test func `Clients that leave as the director ends are forgotten too`() throws {
        let target = Sample.target()
        let path = temporaryPath()
        let now = Instant(nanoseconds: 1_000_000_000)
        let server = try ControlServer(path: path, target: target, daemon: target, now: now)
        let socket = try UnixSocket.connect(path: path)
        try UnixSocket.send(write("start", Self.request).bytes, on: socket)
        for _ in 0..<3 { server.handle(server.interests.map(\.descriptor), now: now) }
        server.close()
        #expect(target.capturing.forgotten == [1])
    }

    @Test func `A daemon without captures says so`() {
        let target = Sample.target()
        final class Plain: DaemonTarget {
            func status() -> String { "" }
            func statusForPrograms() -> JSONValue { .null }
            func saveState() throws(CommandRefusal) {}
        }
        let executor = CommandExecutor(target: target, daemon: Plain())
        var client = Conversation(executor, privileged: true)
        for request in [write("start", Self.request), read("capture"), read("capture.state")] {
            #expect(client.ask(request).error == ErrorNumber.notSupported.rawValue)
        }
    }
}
