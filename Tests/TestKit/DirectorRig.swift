package import LVS

/// A whole director in memory: frames go in, frames come out, and time is turned by hand.
///
/// ```
/// client ── cli 10.1.0.1/24 ── director ── srv 10.2.0.1/24 ── servers
/// ```
/// Ports, routes and neighbours are what a test sets; the frames pass the real workers.
@safe
package final class DirectorRig {
    /// A frame that left, with a partial checksum finished as a network card would.
    package struct Sent: Hashable, Sendable {
        package var port: PortIndex
        package var bytes: [UInt8]

        package init(port: PortIndex, bytes: [UInt8]) {
            self.port = port
            self.bytes = bytes
        }
    }

    /// What became of one frame that went in.
    package struct Outcome: Hashable, Sendable {
        package var verdict: Verdict
        /// The frame itself when it was sent, then what was made because of it.
        package var sent: [Sent]

        package init(verdict: Verdict, sent: [Sent]) {
            self.verdict = verdict
            self.sent = sent
        }
    }

    /// How the checksum of a frame comes in.
    package enum ChecksumOnInput: CaseIterable, Sendable {
        case complete
        /// As from a local veth peer: the field holds the sum of the pseudo-header only.
        case partial
    }

    package let director: Director
    package private(set) var clock: ManualClock
    private let tableMemory: UnsafeMutableRawPointer
    private let lane = FrameLane()

    package init(connections: Int = 4096, workers: Int = 1, seed: UInt64 = 1) {
        let configuration = Director.Configuration(
            connections: connections, workers: workers, seed: seed)
        let bytes = Director.tableBytes(configuration)
        unsafe tableMemory = .allocate(byteCount: bytes, alignment: 4096)
        unsafe tableMemory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        clock = ManualClock()
        director = unsafe Director(
            configuration, tableMemory: TableMemory(base: tableMemory, count: bytes),
            now: clock.now)
    }

    deinit { unsafe tableMemory.deallocate() }

    /// Lets time pass in steps of a quarter of a second, as a housekeeper does.
    package func advance(milliseconds: UInt64) {
        var left = milliseconds
        while left > 0 {
            let step = min(left, 250)
            clock.advance(milliseconds: step)
            director.tick(clock.now)
            left -= step
        }
    }

    /// Sends one frame through a worker.
    package func send(
        _ bytes: [UInt8], on port: PortIndex, checksum: ChecksumOnInput = .complete, worker: Int = 0
    ) -> Outcome {
        send([bytes], on: port, checksum: checksum, worker: worker)[0]
    }

    /// Sends up to 64 frames through a worker in one burst.
    package func send(
        _ frames: [[UInt8]], on port: PortIndex, checksum: ChecksumOnInput = .complete,
        worker: Int = 0
    ) -> [Outcome] {
        lane.send(
            frames, on: port, checksum: checksum, by: director.workers[worker], now: clock.now)
    }

    /// Lets a worker take a turn without a frame, as it does when it has slept; returns what it made.
    package func turn(worker: Int = 0) -> [Sent] {
        lane.turn(by: director.workers[worker], now: clock.now)
    }
}
