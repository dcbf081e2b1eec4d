import Control
import LVS
import Posix
import Synchronization

private let serial = Atomic<Int>(0)

func temporaryPath() -> String {
    let number = serial.add(1, ordering: .relaxed).newValue
    return "/tmp/swift-lvs-control-\(Identity.process)-\(number).sock"
}

/// Runs `body` while a director made of `target` serves a socket.
func withDirector(
    _ target: sending ModelTarget = Sample.target(), _ body: (String) throws -> Void
) throws {
    let path = temporaryPath()
    let server = try ControlServer(
        path: path, target: target, daemon: target,
        now: Instant(nanoseconds: MonotonicClock.now()))
    let loop = Loop(server)
    let thread = try Thread(name: "control-test") { loop.run() }
    let result = Result { try body(path) }
    loop.stops.store(true, ordering: .releasing)
    thread.join()
    try result.get()
}

/// The housekeeper's part: `server` is its thread's alone once that runs.
private final class Loop: @unchecked Sendable {
    private let server: ControlServer
    let stops = Atomic<Bool>(false)

    init(_ server: ControlServer) { self.server = server }

    func run() {
        var poller = Poller()
        while !stops.load(ordering: .acquiring) {
            poller.removeAll()
            for item in server.interests {
                poller.add(
                    item.descriptor, token: Int(item.descriptor), reading: item.reading,
                    writing: item.writing)
            }
            _ = try? poller.wait(nanoseconds: 5_000_000) { event in
                server.handle(
                    Int32(event.token), now: Instant(nanoseconds: MonotonicClock.now()))
            }
            server.tick(Instant(nanoseconds: MonotonicClock.now()))
        }
        server.close()
    }
}
