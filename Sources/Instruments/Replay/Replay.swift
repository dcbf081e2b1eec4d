package import LVS
package import Posix

/// What becomes of frames in a replay; called in order, with frames that stay until it returns.
package protocol ReplaySink: AnyObject {
    /// A frame left by a port; `packet` is the number of the captured packet that caused it, nil for
    /// what a timer made, `time` nanoseconds since 1970.
    func sent(_ frame: Frame, by port: PortIndex, at time: Int64, packet: UInt64?)
    /// The verdict about a captured packet.
    func decided(_ verdict: Verdict, packet: UInt64, at time: Int64)
}

/// A whole director in memory whose clock is a capture's: packets go in, frames come out.
///
/// It is the engine that serves live traffic, with one worker and a seed of its own choice, so that the
/// same input gives the same output on every machine. Time between packets passes in quarters of a
/// second, as live. Packets are decided in bursts; one ends before a quarter does, and before the
/// 17 ms that connections count time in.
@safe
package final class Replay {
    /// How a replay is made.
    package struct Options: Hashable, Sendable {
        /// Most connections the table holds.
        package var connections = 1 << 20
        package var seed: UInt64 = 1

        package init() {}
    }

    /// What was counted beside what the director counts.
    package struct Counts: Hashable, Sendable {
        /// Packets taken.
        package var packets: UInt64 = 0
        /// Packets left out since the director's own interface sent them.
        package var own: UInt64 = 0
        /// Packets for another machine's Ethernet address.
        package var foreign: UInt64 = 0
        /// Packets that went back in time; they are taken as if no time had passed.
        package var backwards: UInt64 = 0
        /// Number of the first such packet.
        package var firstBackwards: UInt64?
        /// Frames that left, made ones included.
        package var sent: UInt64 = 0
        /// Packets decided, and those of them that are the host's.
        package var decided: UInt64 = 0
        package var passed: UInt64 = 0
        package var dropped: UInt64 = 0
    }

    /// Time of the engine at the capture's first packet: an hour, so that nothing lies before 0.
    private static let beginning: UInt64 = 3_600_000_000_000
    private static let step: UInt64 = 250_000_000
    /// How long a gap of the capture is passed in such steps, nanoseconds; then they grow by a tenth
    /// each, and what is due by the next packet's time is done at that time.
    private static let evenSteps: UInt64 = 120_000_000_000
    /// Longest time that a capture can last, nanoseconds: a century.
    private static let longest: UInt64 = 100 * 366 * 86_400 * 1_000_000_000

    package let director: Director
    package let network: ReplayNetwork
    /// The Ethernet address of each port; nil where the network does not say.
    private let hardware: [HardwareAddress?]
    package weak var sink: (any ReplaySink)?
    package var counts: Counts { tally }
    /// Times of the first packet and of the last one so far, nanoseconds since 1970; nil before the
    /// first.
    package var firstTime: Int64? { first }
    package var lastTime: Int64 { last }

    // What changes with each packet is private, or behind a pointer: the compiler then knows who changes
    // it, and has nothing checked when it is.
    private var tally = Counts()
    private var first: Int64?
    private var last: Int64 = 0

    private let memory: MappedMemory
    private let worker: Worker
    private let room = ReplayRoom()
    private let silence = Silence()
    private let burst: UnsafeMutablePointer<Burst>
    /// Number and time of each packet in the burst.
    private let waiting: UnsafeMutablePointer<(number: UInt64, time: Int64)>
    /// The same of the packet that `place` was last asked for.
    private var pending: (number: UInt64, time: Int64) = (0, 0)
    private var now = Instant(nanoseconds: beginning)
    private var nextTick = Instant(nanoseconds: beginning + step)
    /// Neighbours whose Ethernet address was made up.
    package private(set) var madeUp: Set<Neighbour> = []

    /// Makes a director without services on this network.
    package init(_ network: ReplayNetwork, _ options: Options = Options()) throws(SystemError) {
        let configuration = Director.Configuration(
            connections: options.connections, workers: 1, seed: options.seed)
        memory = try MappedMemory(
            bytes: Director.tableBytes(configuration), isTouched: false)
        director = unsafe Director(
            configuration, tableMemory: TableMemory(base: memory.base, count: memory.count),
            now: now)
        self.network = network
        hardware = network.ports.map {
            network.knownHardware.contains($0.index) ? $0.hardware : nil
        }
        worker = director.workers[0]
        unsafe burst = .allocate(capacity: 1)
        unsafe burst.initialize(to: Burst())
        unsafe waiting = .allocate(capacity: Burst.capacity)
        unsafe waiting.initialize(repeating: (0, 0), count: Burst.capacity)
        director.setPorts(network.ports)
        director.setRoutes(network.routes)
        director.setHostAddresses(network.hostAddresses)
        worker.wake()
    }

    deinit {
        unsafe burst.deinitialize(count: 1)
        unsafe burst.deallocate()
        unsafe waiting.deallocate()
    }

    /// Has workers know all rules there are, and neighbours: to be called once they are in.
    package func begin() {
        for (neighbour, hardware) in network.startingNeighbours {
            director.setNeighbour(neighbour, hardware)
        }
        worker.rest()
        director.tick(now)
        worker.wake()
        meetNeighbours()
    }

    /// The engine's time now.
    package var time: Instant { now }

    // MARK: Packets

    /// Moves the clock to a packet's time, nanoseconds since 1970, and lends memory for its frame of
    /// `length` bytes at most; nil for a frame longer than any.
    ///
    /// What is written there is handed over by `take`.
    package func place(
        packet number: UInt64, at time: Int64, length: Int
    ) -> UnsafeMutableRawPointer? {
        tally.packets += 1
        // What waits is decided at its own time.
        if !room.hasRoom(for: length) { flush() }
        pass(to: time, packet: number)
        pending = (number, last)
        return unsafe room.place(for: length)
    }

    /// Takes the frame that was written to the last `place`; `vlan` as `Frame.vlan` has it.
    ///
    /// The last `missing` bytes were not captured; the frame carries their number in `slot`.
    package func take(length: Int, missing: Int = 0, by port: PortIndex, vlan: UInt32 = 0) {
        var frame = room.take(length: length, ingress: port)
        guard isMine(frame) else { return }
        frame.vlan = vlan
        frame.slot = UInt32(missing)
        // A packet that no wire can have carried was joined by the machine that captured it.
        let widest = Int(network.ports[Int(port)].mtu) + 14
        if length > widest {
            let packet = Packet(parsing: frame)
            Offload.openSegments(of: &frame, packet, widest: widest, datagrams: false)
        }
        unsafe waiting[burst.pointee.count] = pending
        unsafe burst.pointee.append(frame)
        if unsafe burst.pointee.room == 0 { flush() }
    }

    /// Decides what waits, and gives its memory back.
    package func flush() {
        if unsafe burst.pointee.count != 0 { decide() }
        room.removeAll()
    }

    /// Lets time pass after the last packet, as many seconds as are asked for.
    package func finish(afterSeconds seconds: UInt64 = 0) {
        flush()
        guard seconds > 0 else { return }
        run(until: now.advanced(bySeconds: seconds))
    }

    // MARK: Time

    /// Moves the clock to a packet's time.
    private func pass(to time: Int64, packet number: UInt64) {
        guard let first else {
            first = time
            last = time
            begin()
            return
        }
        guard time >= last else {
            tally.backwards += 1
            if tally.firstBackwards == nil { tally.firstBackwards = number }
            return
        }
        guard time != last else { return }
        let (passed, isTooLong) = time.subtractingReportingOverflow(first)
        let since = isTooLong ? Replay.longest : min(Replay.longest, UInt64(passed))
        let target = Instant(nanoseconds: Replay.beginning + since)
        if target >= nextTick {
            run(until: target)
        } else if target.tick != now.tick {
            flush()
        }
        last = time
        now = max(now, target)
    }

    /// Passes every quarter of a second up to a time.
    private func run(until target: Instant) {
        flush()
        let begin = now.nanoseconds
        var step = Replay.step
        while nextTick <= target {
            tick(nextTick)
            if now.nanoseconds - begin > Replay.evenSteps { step += step / 10 }
            nextTick = Instant(nanoseconds: now.nanoseconds + step)
        }
        if step > Replay.step {
            tick(target)
            nextTick = Instant(nanoseconds: target.nanoseconds + Replay.step)
        }
        now = target
    }

    /// What a housekeeper does four times a second.
    private func tick(_ time: Instant) {
        now = time
        worker.rest()
        director.tick(now)
        worker.wake()
        meetNeighbours()
        turn()
    }

    /// A turn of the worker without frames: for fragments whose time is up and frames that wait.
    private func turn() {
        unsafe worker.process(&burst.pointee, now: now)
        deliver()
    }

    private func decide() {
        unsafe worker.process(&burst.pointee, now: now)
        deliver()
        guard worker.hasParkedFrames else { return }
        meetNeighbours()
        turn()
    }

    /// Answers for every neighbour that the director has begun to need.
    private func meetNeighbours() {
        for neighbour in director.takeWantedNeighbours() {
            let hardware = network.hardware(of: neighbour)
            if network.neighbours[neighbour] == nil { madeUp.insert(neighbour) }
            director.setNeighbour(neighbour, hardware)
        }
    }

    /// Stands where nobody wants to know.
    private final class Silence: ReplaySink {
        func sent(_ frame: Frame, by port: PortIndex, at time: Int64, packet: UInt64?) {}
        func decided(_ verdict: Verdict, packet: UInt64, at time: Int64) {}
    }

    // MARK: Frames

    /// False for what the director's own interface sent, and for other machines' frames; both can
    /// only be told where the interface's Ethernet address is known.
    private func isMine(_ frame: Frame) -> Bool {
        guard let own = hardware[Int(frame.ingress)], frame.length >= 14 else { return true }
        if unsafe HardwareAddress(at: frame.bytes + 6) == own {
            tally.own += 1
            return false
        }
        let destination = unsafe HardwareAddress(at: frame.bytes)
        if destination != own, destination.value >> 40 & 1 == 0 {
            tally.foreign += 1
            return false
        }
        return true
    }

    private func deliver() {
        // Asked for once: a weak reference is not to be had for nothing.
        deliver(to: sink ?? silence)
    }

    /// Gives the burst's frames to a sink, those that were made behind what caused them.
    private func deliver(to sink: any ReplaySink) {
        let count = unsafe burst.pointee.count
        let madeCount = unsafe burst.pointee.madeCount
        var made = 0
        for index in 0..<count {
            let (number, time) = unsafe waiting[index]
            let verdict = unsafe burst.pointee.base[index].verdict
            switch verdict.kind {
            case .send:
                tally.sent += 1
                unsafe sink.sent(
                    burst.pointee.base[index], by: verdict.port, at: time, packet: number)
            case .pass: tally.passed += 1
            case .drop: tally.dropped += 1
            case .consumed: break
            }
            sink.decided(verdict, packet: number, at: time)
            while made < madeCount, unsafe burst.pointee.madeFrame(made).cause <= index {
                send(made: made, number, time, to: sink)
                made += 1
            }
        }
        tally.decided += UInt64(count)
        while made < madeCount {
            send(made: made, nil, clock, to: sink)
            made += 1
        }
        unsafe burst.pointee.removeAll()
    }

    /// The engine's time as the capture's clock shows it.
    private var clock: Int64 {
        (first ?? 0) &+ Int64(now.nanoseconds - Replay.beginning)
    }

    private func send(
        made index: Int, _ packet: UInt64?, _ time: Int64, to sink: any ReplaySink
    ) {
        let frame = unsafe burst.pointee.madeFrame(index).frame
        guard frame.verdict.kind == .send else { return }
        tally.sent += 1
        sink.sent(frame, by: frame.verdict.port, at: time, packet: packet)
    }
}

extension HardwareAddress {
    /// The address in six bytes of a frame.
    init(at bytes: UnsafeRawPointer) {
        var value: UInt64 = 0
        for offset in 0..<6 {
            value = value << 8 | UInt64(unsafe bytes.load(fromByteOffset: offset, as: UInt8.self))
        }
        self.init(value: value)
    }
}
