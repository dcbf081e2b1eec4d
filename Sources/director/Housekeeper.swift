import Control
import LVS
import Logging
import PacketIO
import Posix
import Sync

/// The one cold thread: signals, control socket, the kernel's news, timers.
final class Housekeeper {
    /// Longest time between two ticks of the engine (swift-data-plane 3.4).
    static let tickNanoseconds: UInt64 = 200_000_000

    let director: Director
    let surroundings: Surroundings
    let hostSide: HostSide
    let interfaces: [ServedInterface]
    private(set) var loops: [WorkerLoop] = []
    let memory: TableMapping
    /// Where the table is kept; nil when it ends with this process.
    private(set) var tablePlace: TablePlace?
    /// What became of the table that was found there.
    private(set) var tableNote: String?
    let started = MonotonicClock.now()
    let table: KeptTable
    private(set) var hostMarks: HostMarkRules?
    let logger: Logger
    var rates: [PortIndex: PortRate] = [:]
    var crowding = CrowdedProcessors(allowed: AllowedProcessors.numbers)
    /// Frames lost to full rings, as of a second ago.
    var lostBefore: UInt64 = 0
    private(set) var control: ControlServer?
    let answering: AddressAnswering
    let locals: LocalAddresses
    private var rules: RulesSource?
    let state: SavedState?
    var capture: CaptureFile?
    /// The backup daemon of connection synchronisation, while it runs.
    var backup: BackupReceiver?
    /// The master daemon, while it runs.
    var master: MasterSender?
    /// The packet that `explain --next` waits for.
    var expected: ExpectedPacket?
    /// What `directorctl capture` takes.
    var capturing: ClientCapture?
    private var nextTick: UInt64 = 0
    /// Whether the block holds more than is served, and when it may be made exact.
    private var isInexact = false
    private var nextExact: UInt64 = 0
    private var nextSecond: UInt64 = 0

    init(
        director: Director, memory: TableMapping, surroundings: Surroundings, hostSide: HostSide,
        interfaces: [ServedInterface], answering: AddressAnswering,
        rules: RulesSource?, state: SavedState?, _ logger: Logger
    ) {
        self.director = director
        self.memory = memory
        self.surroundings = surroundings
        self.hostSide = hostSide
        self.interfaces = interfaces
        self.answering = answering
        self.rules = rules
        self.state = state
        self.logger = logger
        let hearsQuestions =
            !hostSide.hasQueues
            && interfaces.contains { $0.drivers.contains { !$0.keepsFromHost } }
        locals = LocalAddresses(director, answering, hearsQuestions: hearsQuestions, logger)
        table = KeptTable(director, hostSide, locals, logger)
    }

    /// How long the host's stack is kept from what is served no more.
    ///
    /// A keepalived that ends takes services and the virtual address away at the same time; where the services
    /// go first, the stack would reset connections that the other director is about to carry on.
    private static let lingeringNanoseconds: UInt64 = 1_000_000_000

    private var now: Instant { Instant(nanoseconds: MonotonicClock.now()) }

    /// How long a director without a rules file leaves the block of an earlier one as it is.
    ///
    /// Its services come over the control socket, and the host shall not answer for them meanwhile.
    private static let takeOverNanoseconds: UInt64 = 10_000_000_000

    /// Learns the network, and brings the table to what the state file and the rules file say, before
    /// the first frame is taken.
    func begin(_ loops: [WorkerLoop]) throws {
        self.loops = loops
        try follow()
        hostMarks = HostMarkRules(table, isOnlyKnown: hostSide.hasQueues, logger)
        hostMarks?.follow(now)
        let applied = try state?.restore(to: table, control, logger)
        if let rules {
            try apply(rules, after: state?.wasThere == true ? applied : nil)
            self.rules?.tookEffect()
        }
        // With many services the tick is what workers learn of them by.
        director.tick(now)
        table.isServing = true
        if rules != nil || state?.wasThere == true { hostSide.keepOut(director.served) }
        try beginSaving()
    }

    /// Applies the rules file; where a state file told what it said before, only if that has changed,
    /// so that what was changed by hand since stays.
    private func apply(_ rules: RulesSource, after applied: [Rule]?) throws {
        guard let steps = rules.firstSteps(after: applied, from: table.rules) else { return }
        for step in steps {
            do throws(CommandRefusal) {
                try table.reconcile(step)
            } catch {
                throw StartFailure("rules file \(rules.path): \(step.summary): \(error.text)")
            }
        }
    }

    private func beginSaving() throws {
        guard let state else { return }
        state.keeper.contents = { [unowned self] in
            StateItem.all(
                rules: table.rules, applied: rules?.applied ?? [], settings: table.settings(),
                timeouts: table.timeouts, daemons: control?.syncDaemons ?? [])
        }
        _ = table.takeUnsaved()
        try state.begin()
    }

    func listen(at path: String, group: UInt32?) throws(SystemError) {
        control = try ControlServer(
            path: path, target: table, daemon: self, now: now, group: group)
    }

    /// Runs until a signal ends it; the host is as it was when this returns.
    func run(_ signals: borrowing Signals) throws {
        logger.info("\(startLine)")
        tellManager("READY=1")
        var poller = Poller()
        var going = true
        while going {
            poller.removeAll()
            poller.add(signals.descriptor, token: -1)
            poller.add(surroundings.descriptor, token: -2)
            if let changes = hostMarks?.descriptor { poller.add(changes, token: -3) }
            for descriptor in backup?.descriptors ?? [] { poller.add(descriptor, token: -4) }
            for interest in control?.interests ?? [] {
                poller.add(
                    interest.descriptor, token: Int(interest.descriptor),
                    reading: interest.reading, writing: interest.writing)
            }
            var ready: [Int] = []
            do throws(SystemError) {
                let time = now.nanoseconds
                let next = isInexact ? min(nextTick, nextExact) : nextTick
                let rest = next > time ? next - time : 0
                try poller.wait(nanoseconds: Int64(rest)) { event in
                    ready.append(event.token)
                }
            } catch {
                logger.error("\(error)")
            }
            control?.handle(ready.filter { $0 >= 0 }.map(Int32.init), now: now)
            if ready.contains(-4) { hearOthers() }
            if ready.contains(-1) { going = handle(signals) }
            tick()
        }
        tellManager("STOPPING=1")
        end()
        if let place = tablePlace, !place.staysAtEnd { Files.remove(place.path) }
    }

    /// Takes note of where the table is, and tells what was found there.
    func keep(_ engine: EngineStart) {
        tablePlace = engine.place
        tableNote = engine.note
        if let note = engine.note { logger.notice("\(note)") }
    }

    /// Tells systemd, where that started us; a deaf manager is no reason to stop.
    private func tellManager(_ notice: String) {
        do throws(SystemError) {
            try ServiceManager.tell(notice)
        } catch {
            logger.warning("\(error): the service manager does not hear \(notice)")
        }
    }

    /// Leaves the host as it was.
    func end() {
        control?.close()
        if let failure = state?.keeper.end() {
            logger.error("the state file could not be written at the end: \(failure)")
        }
        for loop in loops { loop.stop() }
        endMaster()
        capture?.close()
        hostSide.remove()
        locals.end()
        surroundings.close()
        logger.info("ended; the host is as it was")
    }

    private func handle(_ signals: borrowing Signals) -> Bool {
        var going = true
        while let signal = signals.next() {
            if signal == Signals.hangUp {
                reload()
            } else {
                going = false
            }
        }
        return going
    }

    /// SIGHUP: what the rules file no longer names and came from it goes, the rest is made equal.
    private func reload() {
        guard rules != nil else {
            logger.notice("SIGHUP: there is no rules file (--rules) to read again")
            return
        }
        do {
            try rules?.reload()
        } catch {
            logger.error("\(error); nothing was changed")
            return
        }
        guard let steps = rules?.steps(from: table.rules) else { return }
        for step in steps {
            do throws(CommandRefusal) {
                try table.reconcile(step)
            } catch {
                logger.error("\(step.summary): \(error.text); the rules are as they were")
                rules?.stepsBack(from: table.rules).forEach(takeBack)
                return
            }
        }
        rules?.tookEffect()
        state?.keeper.noteChange()
        logger.info("rules read again: \(steps.count) changes")
    }

    private func takeBack(_ step: DesiredState.Step) {
        do throws(CommandRefusal) {
            try table.reconcile(step)
        } catch {
            logger.error("taking back \(step.summary): \(error.text)")
        }
    }

    private func tick() {
        do {
            try follow()
        } catch {
            logger.error("\(error)")
        }
        let time = now
        // A tick looks at every connection: once in its time, not after every command.
        if time.nanoseconds >= nextTick {
            nextTick = time.nanoseconds + Self.tickNanoseconds
            if let pages = FreeMemory.pages { director.setFreePages(pages) }
            director.tick(time)
        }
        followLocals()
        surroundings.want(director.takeWantedNeighbours(), now: time)
        hostMarks?.follow(time)
        control?.tick(time)
        if let keeper = state?.keeper {
            if table.takeUnsaved() { keeper.noteChange() }
            if let news = keeper.tick(time) { logger.warning("\(news)") }
        }
        let hasWaited = time.nanoseconds - started > Self.takeOverNanoseconds
        if table.takeChange(), !isInexact {
            isInexact = true
            nextExact = max(nextExact, time.nanoseconds + Self.lingeringNanoseconds)
        }
        if (isInexact && time.nanoseconds >= nextExact) || (hasWaited && !hostSide.hasTakenOver) {
            makeExact(time)
        }
        guard time.nanoseconds >= nextSecond else { return }
        forgetExpected()
        forgetCapture()
        nextSecond = time.nanoseconds + 1_000_000_000
        // Endpoints of deleted servers are let go of with their last connection.
        if hostSide.hasTakenOver { hostSide.keepOut(director.served) }
        hostSide.keep()
        locals.listen()
        keepSynchronising()
        measure(time)
        avoidCrowdedProcessors()
        for interface in interfaces where interface.isDetached { reopen(interface) }
    }

    /// Makes the block exact; with a large table that takes a while, and at most a tenth of the time.
    private func makeExact(_ time: Instant) {
        isInexact = false
        table.makeExact()
        let took = MonotonicClock.now() - time.nanoseconds
        nextExact = time.nanoseconds + 10 * took
    }

    /// Hands the kernel's news to the engine.
    private func follow() throws {
        let update: Surroundings.Update
        do throws(SystemError) {
            update = try surroundings.update(now: now)
        } catch {
            throw StartFailure("\(error)")
        }
        guard !update.isEmpty else { return }
        if let ports = update.ports {
            director.setPorts(ports + (hostSide.door.map { [$0] } ?? []))
            director.setDoor(hostSide.door?.index)
            for port in ports { answering.setHardware(port.hardware, of: port.index) }
            for (port, interface) in zip(ports, self.interfaces) { interface.follow(port) }
            for (port, ids) in surroundings.servedVLANs {
                interfaces[Int(port)].setHostVLANs(ids)
            }
        }
        if let routes = update.routes {
            director.setRoutes(routes)
            hostSide.followRoutes()
        }
        if let addresses = update.hostAddresses {
            director.setHostAddresses(addresses)
            if hostSide.hasTakenOver { hostSide.keepOut(director.served) }
        }
        followLocals(update.ports?.compactMap { surroundings.interface(of: $0.index) })
        for (neighbour, hardware) in update.neighbours {
            director.setNeighbour(neighbour, hardware)
        }
        surroundings.want(director.takeWantedNeighbours(), now: now)
        if !update.appeared.isEmpty || !update.vanished.isEmpty { hostSide.followInterfaces() }
        for port in update.appeared where Int(port) < interfaces.count {
            reopen(interfaces[Int(port)])
        }
        for warning in update.warnings { logger.warning("\(warning)") }
        for loop in loops { loop.wake() }
    }

    /// Owns the local addresses there are now.
    private func followLocals(_ interfaces: [Int32]? = nil) {
        guard locals.follow(interfaces: interfaces) else { return }
        loops.first?.announceNewAddresses()
    }

    private func reopen(_ interface: ServedInterface) {
        do throws(DriverError) {
            guard try interface.refresh() else { return }
            logger.notice("\(interface.name) is served again")
            for loop in loops { loop.wake() }
            loops.first?.announceAddresses()
        } catch {
            logger.error("\(error)")
        }
    }

    private var startLine: String {
        let served = interfaces.map { "\($0.name) (\($0.summary))" }.joined(separator: ", ")
        return "director \(version) serves \(served); control \(control?.path ?? "none"); "
            + "table of \(director.configuration.connections) connections, "
            + "\(memory.count >> 20) MiB"
            + (tablePlace.map { ", kept in \($0.path)" } ?? "")
    }
}
