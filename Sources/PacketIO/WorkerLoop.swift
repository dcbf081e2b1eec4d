package import LVS
package import Posix
internal import Synchronization

/// The engine's side of the loop: `Worker`, or whatever a test puts in its place.
package protocol BurstProcessor: AnyObject {
    /// Decides on every frame of the burst; also called with an empty burst, for what waits.
    func process(_ burst: inout Burst, now: Instant)
    /// Whether frames wait in the engine for something that may come without a wake-up.
    var hasWaiting: Bool { get }
    /// The worker begins to use shared tables.
    func wake()
    /// The worker sleeps and refers to nothing shared.
    func sleep()
}

/// One worker's thread: in turn over its drivers it receives what is there, has the engine decide,
/// sends, and gives the frames back; when nothing comes it sleeps.
///
/// The thread owns drivers and engine side from `start` to `stop`; the housekeeper calls `wake`,
/// `announceAddresses`, `announceNewAddresses`, `counts`, `start` and `stop`. What both touch is atomic, hence the
/// unchecked conformance.
package final class WorkerLoop: @unchecked Sendable {
    /// Longest sleep, nanoseconds: fragments that nobody completed are given up at most so much late.
    private static let longestSleep: Int64 = 1_000_000_000
    /// The same while frames wait for their next hop.
    private static let shortSleep: Int64 = 2_000_000
    private static let mostPorts = 64
    /// The door costs a system call to look at, and seldom has anything: it is looked at in one of so
    /// many turns, and in the first one after a sleep that it ended.
    private static let turnsBetweenDoors: UInt = 16

    private let number: Int
    private let drivers: [any PacketDriver]
    private let burstDrivers: [(any BurstDriver)?]
    private let settlingDrivers: [(any SettlingDriver)?]
    private let door: (any PacketDriver)?
    private let processor: any BurstProcessor
    private let answering: AddressAnswering?
    /// Position in `drivers` of each port's driver, -1 where there is none.
    private let driverOfPort: [Int]
    /// A bit for each port whose frames the host has not seen.
    private let keptFromHost: UInt64
    private let cells = WorkerCells()
    private let wakeUp: WakeUp
    private let runQueue = RunQueue()
    private var thread: Thread?
    /// Position of the door in `drivers`, -1 without one.
    private let doorPosition: Int
    private var turns: UInt = 0

    // Set by the housekeeper (release) before it signals `wakeUp`, read by the worker (acquire).
    private let stopping = Atomic<Bool>(false)
    private let announcing: Atomic<Bool>

    /// Takes the drivers of one worker.
    ///
    /// `door` is served like the others and gets what goes to the host. The addresses of
    /// `answering` are announced by the first worker at its start.
    package init(
        number: Int = 0, drivers: [any PacketDriver], door: (any PacketDriver)? = nil,
        answering: AddressAnswering? = nil, processor: any BurstProcessor
    ) throws(SystemError) {
        self.number = number
        announcing = Atomic(number == 0)
        self.door = door
        self.answering = answering
        self.processor = processor
        var all = drivers
        doorPosition = door == nil ? -1 : all.count
        if let door { all.append(door) }
        self.drivers = all
        burstDrivers = all.map { $0 as? any BurstDriver }
        settlingDrivers = all.map { driver in
            guard let settling = driver as? any SettlingDriver, settling.settles else { return nil }
            return settling
        }
        wakeUp = try WakeUp()
        var driverOfPort = [Int](repeating: -1, count: Self.mostPorts)
        var keptFromHost: UInt64 = 0
        for (position, driver) in all.enumerated() {
            precondition(Int(driver.port) < Self.mostPorts, "a worker serves ports 0 to 63")
            driverOfPort[Int(driver.port)] = position
            if (driver as? any InterfaceDriver)?.keepsFromHost == true {
                keptFromHost |= 1 << UInt64(driver.port)
            }
        }
        self.driverOfPort = driverOfPort
        self.keptFromHost = keptFromHost
    }

    /// The CPU that the thread is bound to; nil when to none.
    package private(set) var cpu: Int?

    /// Whether the kernel chooses the worker's CPU.
    package var isFree: Bool { cpu == nil }

    /// CPU time that the thread has used so far, nanoseconds.
    package var cpuNanoseconds: UInt64 { thread?.cpuNanoseconds ?? 0 }

    /// Starts the thread, bound to `cpu` if given.
    package func start(cpu: Int? = nil) throws(SystemError) {
        precondition(thread == nil, "a worker starts once")
        self.cpu = cpu
        thread = try Thread(name: "worker-\(number)", cpu: cpu) { self.run() }
    }

    /// Has the worker run on these CPUs only, unless it was bound to one of its own.
    package func keep(to cpus: [Int]) {
        if isFree { thread?.keep(to: cpus) }
    }

    /// Ends the thread after its turn and waits for it.
    package func stop() {
        stopping.store(true, ordering: .releasing)
        wakeUp.signal()
        thread.take()?.join()
    }

    /// Has the worker take a turn now, for what the housekeeper changed.
    package func wake() { wakeUp.signal() }

    /// Has the worker tell every served segment who has the answered addresses.
    package func announceAddresses() {
        answering?.announceAgain()
        announceNewAddresses()
    }

    /// The same of addresses that are answered for since they were told last.
    package func announceNewAddresses() {
        announcing.store(true, ordering: .releasing)
        wakeUp.signal()
    }

    /// Frames by what became of them.
    package var counts: WorkerCounts { cells.snapshot }

    /// The thread's body; tests that want no thread may call it after `stop` was asked for.
    func run() {
        var burst = Burst()
        var spin = AdaptiveSpin()
        var poller = Poller()
        processor.wake()
        while !stopping.load(ordering: .acquiring) {
            if answering != nil, announcing.exchange(false, ordering: .acquiringAndReleasing) {
                announce(&burst)
            }
            if turn(&burst) { continue }
            if look(&spin, &burst) { continue }
            processor.sleep()
            let called = sleep(&poller)
            processor.wake()
            if called { process(&burst) }
        }
        processor.sleep()
    }

    /// One turn over all drivers; true when a frame came.
    private func turn(_ burst: inout Burst) -> Bool {
        var some = false
        turns &+= 1
        for position in drivers.indices {
            if position == doorPosition, turns % Self.turnsBetweenDoors != 0 { continue }
            let driver = drivers[position]
            guard driver.receive(into: &burst) > 0 else { continue }
            some = true
            process(&burst, from: settlingDrivers[position])
            driver.release()
        }
        return some
    }

    /// Takes turns for as long as spinning is worth it; true at once when a frame came.
    private func look(_ spin: inout AdaptiveSpin, _ burst: inout Burst) -> Bool {
        let start = MonotonicClock.now()
        let budget = spin.budget(now: start)
        guard budget > 0 else { return false }
        guard !runQueue.isFull else {
            spin.isInTheWay(now: start)
            return false
        }
        var now = start
        var found = false
        repeat {
            Thread.yield()
            found = turn(&burst)
            now = MonotonicClock.now()
        } while !found && now < start &+ budget
        spin.looked(found: found, now: now)
        return found
    }

    /// Decides and sends; the burst is empty afterwards.
    ///
    /// `driver` waits for answers about it.
    private func process(_ burst: inout Burst, from driver: (any SettlingDriver)? = nil) {
        processor.process(&burst, now: Instant(nanoseconds: MonotonicClock.now()))
        deliver(&burst, from: driver)
        burst.removeAll()
    }

    private func announce(_ burst: inout Burst) {
        guard let answering else { return }
        let addresses = answering.takeUnannounced()
        for driver in drivers where driver.port != door?.port {
            var rest = addresses[...]
            while !rest.isEmpty {
                rest = answering.announce(rest, on: driver.port, in: &burst)
                deliver(&burst)
                burst.removeAll()
            }
        }
    }

    /// Does what the verdicts say: ports in any order, the frames of one port in theirs.
    private func deliver(_ burst: inout Burst, from driver: (any SettlingDriver)? = nil) {
        var ports: UInt64 = 0
        let count = burst.count
        var kinds = (passed: 0, sent: 0, consumed: 0, dropped: 0, door: 0, answered: 0)
        let frames = unsafe burst.base
        for index in 0..<count {
            let verdict = unsafe frames[index].verdict
            switch verdict.kind {
            case .send:
                let bit = bit(of: verdict.port)
                ports |= bit
                kinds.sent += bit == 0 ? 0 : 1
            case .pass:
                if driver != nil {
                    kinds.passed += 1
                } else if verdict.usesDoor || isKeptFromHost(unsafe frames[index].ingress) {
                    unsafe frames[index].verdict = .passThroughDoor
                    kinds.door += 1
                } else if let answering, answering.answer(index, in: &burst) {
                    unsafe frames[index].verdict = .consumed
                    kinds.answered += 1
                } else {
                    kinds.passed += 1
                }
            case .consumed: kinds.consumed += 1
            case .drop: kinds.dropped += 1
            }
        }
        for index in 0..<burst.madeCount {
            let verdict = burst.madeFrame(index).frame.verdict
            guard case .send = verdict.kind else { continue }
            let bit = bit(of: verdict.port)
            ports |= bit
            kinds.sent += bit == 0 ? 0 : 1
        }
        driver?.settle(&burst)
        if kinds.door > 0 { deliverToDoor(burst, kinds.door) }
        while ports != 0 {
            let port = ports.trailingZeroBitCount
            ports &= ports - 1
            send(burst, by: driverOfPort[port], PortIndex(port))
        }
        if count > 0 { cells.bursts.raise(by: 1) }
        cells.frames.raise(by: count)
        cells.sent.raise(by: kinds.sent)
        cells.passed.raise(by: kinds.passed)
        cells.consumed.raise(by: kinds.consumed)
        cells.dropped.raise(by: kinds.dropped)
        cells.answered.raise(by: kinds.answered)
    }

    @inline(__always)
    private func isKeptFromHost(_ port: PortIndex) -> Bool {
        keptFromHost >> UInt64(port) & 1 == 1
    }

    /// The port's bit among those to send by; a port nobody serves is counted and has none.
    @inline(__always)
    private func bit(of port: PortIndex) -> UInt64 {
        guard Int(port) < Self.mostPorts, driverOfPort[Int(port)] >= 0 else {
            cells.portMissing.raise(by: 1)
            return 0
        }
        return 1 << UInt64(port)
    }

    private func send(_ burst: borrowing Burst, by position: Int, _ port: PortIndex) {
        if let driver = burstDrivers[position] {
            driver.enqueue(sendsOf: burst)
        } else {
            let driver = drivers[position]
            forEachSend(of: burst, on: port) { frame in driver.enqueue(copy frame) }
        }
        drivers[position].flush()
    }

    private func deliverToDoor(_ burst: borrowing Burst, _ count: Int) {
        guard let door else {
            cells.doorClosed.raise(by: count)
            return
        }
        let frames = unsafe burst.base
        for index in 0..<burst.count where unsafe frames[index].verdict.usesDoor {
            unsafe door.enqueue(frames[index])
        }
        door.flush()
        cells.throughDoor.raise(by: count)
    }

    /// Waits for frames, a wake-up or the longest sleep; true unless it was frames that came.
    private func sleep(_ poller: inout Poller) -> Bool {
        poller.removeAll()
        poller.add(wakeUp.descriptor, token: -1)
        for position in drivers.indices {
            guard let descriptor = drivers[position].descriptor else { continue }
            poller.add(descriptor, token: position)
        }
        cells.sleeps.raise(by: 1)
        var called = false
        var ready = 0
        do throws(SystemError) {
            let longest = processor.hasWaiting ? Self.shortSleep : Self.longestSleep
            ready = try poller.wait(nanoseconds: longest) { event in
                if event.token < 0 {
                    called = true
                } else if event.token == doorPosition {
                    // The turn that follows looks at the door.
                    turns = UInt.max
                } else if event.failed {
                    (drivers[event.token] as? any RecoverableDriver)?.descriptorFailed()
                }
            }
        } catch {
            // EINVAL, EFAULT and ENOMEM are all that is left; a turn will be taken either way.
            called = true
        }
        if called { wakeUp.clear() }
        return called || ready == 0
    }
}
