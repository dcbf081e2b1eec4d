import Control
import LVS
import Logging
import PacketIO
import Posix

/// Where everything meets: options become interfaces, drivers, engine, workers and housekeeper.
enum Wiring {
    static func assemble(_ options: Options, _ logger: Logger) throws -> Housekeeper {
        let rules = try options.rules.map { try RulesSource(path: $0) }
        let state = try options.state.map { path in
            try SavedState(path: path, isPartial: options.statePartial)
        }
        let surroundings = try surroundings(options)
        let answering = try answering(options)
        let processors = try Processors(options)
        // The memory of the table must be there before anything else is touched.
        let engine = try EngineStart(options, workers: processors.count, logger)
        let director = engine.director
        let capture = try capture(options, workers: processors.count)
        let (interfaces, commons) = try open(
            options, surroundings, workers: processors.count, capture)
        let hostSide = HostSide(surroundings, commons, logger)
        if hostSide.hasQueues { director.setFramesCarryMarks() }
        let housekeeper = Housekeeper(
            director: director, memory: engine.memory, surroundings: surroundings,
            hostSide: hostSide,
            interfaces: interfaces, answering: answering, rules: rules, state: state,
            logger)
        housekeeper.capture = capture
        housekeeper.keep(engine)
        // The control socket first: where another director lives nothing of the host is touched.
        let path = ControlPath.resolve(options.control)
        do throws(SystemError) {
            let group = options.controlGroup.flatMap(Identity.group)
            try housekeeper.listen(at: path, group: group)
            try hostSide.open(
                doorPort: PortIndex(interfaces.count), workers: processors.count)
        } catch {
            let why = error.isInUse && error.object == path ? "; a director runs here already" : ""
            throw StartFailure("\(error)\(why)")
        }
        do throws(QueueRulesError) {
            try hostSide.openQueues(managesRules: !options.noQueueRules)
        } catch {
            throw StartFailure(
                "\(error); with --no-queue-rules a rule of your own may lead packets to the queue"
                    + " (iptables -t mangle -A PREROUTING ... -j NFQUEUE)")
        }
        do {
            let loops = try workers(director, interfaces, hostSide, answering)
            try capture?.begin()
            // Routes and rules first: the first frame shall meet a director that is ready.
            try housekeeper.begin(loops)
            for (loop, cpu) in zip(loops, processors.cpus) { try loop.start(cpu: cpu) }
        } catch {
            housekeeper.end()
            if let error = error as? SystemError { throw StartFailure("\(error)") }
            throw error
        }
        return housekeeper
    }

    private static func surroundings(_ options: Options) throws -> Surroundings {
        do {
            let names = try DriverRegistry.interfaces(options.interfaces)
            return try Surroundings(interfaces: names)
        } catch let error as DriverError {
            throw StartFailure("\(error)")
        } catch let error as SurroundingsError {
            throw StartFailure("\(error)")
        }
    }

    private static func answering(_ options: Options) throws -> AddressAnswering {
        let addresses = options.answer.compactMap { IPAddress(parsing: $0) }
        do throws(AddressAnswering.Refusal) {
            return try AddressAnswering(addresses: addresses)
        } catch {
            throw StartFailure("--answer: \(error)")
        }
    }

    /// How large the engine is made.
    static func configuration(_ options: Options, workers: Int) -> Director.Configuration {
        Director.Configuration(
            connections: options.connections, workers: workers, seed: .random(in: .min ... .max),
            listedTableSize: 1 << UInt32(options.connTabBits))
    }

    private static func capture(_ options: Options, workers: Int) throws -> CaptureFile? {
        guard let path = options.captureTo else { return nil }
        do throws(SystemError) {
            let bytes = UInt64(options.captureLimit ?? 100) << 20
            return try CaptureFile(path: path, bytes: bytes, workers: workers)
        } catch {
            throw StartFailure("--capture-to \(path): \(error)")
        }
    }

    private static func open(
        _ options: Options, _ surroundings: Surroundings, workers: Int, _ capture: CaptureFile?
    ) throws -> ([ServedInterface], DriverCommons) {
        var driverOptions = DriverRegistry.Options()
        driverOptions.answersAddresses = !options.answer.isEmpty
        driverOptions.mayAnswerAddresses = true
        driverOptions.interfaces = surroundings.ports.count
        driverOptions.workers = workers
        driverOptions.capture = capture
        let asked = options.interfaces
        do {
            let interfaces = try surroundings.ports.map { port in
                let text = DriverRegistry.text(
                    for: port.name, at: Int(port.index), of: asked)
                return try ServedInterface(text, port: port.index, options: driverOptions)
            }
            return (interfaces, driverOptions.commons)
        } catch let error as DriverError {
            throw StartFailure("\(error)")
        }
    }

    private static func workers(
        _ director: Director, _ interfaces: [ServedInterface], _ hostSide: HostSide,
        _ answering: AddressAnswering
    ) throws -> [WorkerLoop] {
        do {
            return try director.workers.enumerated().map { number, worker in
                try WorkerLoop(
                    number: number, drivers: interfaces.map { $0.drivers[number] },
                    door: number < hostSide.doors.count ? hostSide.doors[number] : nil,
                    answering: answering, processor: EngineSide(worker))
            }
        } catch let error as SystemError {
            throw StartFailure("\(error)")
        }
    }
}

/// The engine's worker as the loop knows it.
final class EngineSide: BurstProcessor {
    private let worker: Worker

    init(_ worker: Worker) { self.worker = worker }

    func process(_ burst: inout Burst, now: Instant) { worker.process(&burst, now: now) }
    var hasWaiting: Bool { worker.hasParkedFrames }
    func wake() { worker.wake() }
    func sleep() { worker.rest() }
}

/// The rules file of `--rules` and what came from it.
struct RulesSource {
    let path: String
    private(set) var applied: [Rule] = []
    private(set) var next: [Rule]

    init(path: String) throws {
        self.path = path
        next = try RulesSource.read(path)
    }

    /// Reads the file again; what is applied stays as it is.
    mutating func reload() throws { next = try RulesSource.read(path) }

    /// What leads from what the table holds to the rules that were read.
    func steps(from present: [Rule]) -> [DesiredState.Step] {
        DesiredState.difference(applied, next, present: present)
    }

    /// What a director does at its start: the rules over what the table holds.
    ///
    /// `before` is what the file said when an earlier director, whose table this is, applied it last;
    /// nothing is to be done, nil, if it says the same still.
    func firstSteps(after before: [Rule]?, from present: [Rule]) -> [DesiredState.Step]? {
        guard before != next else { return nil }
        return DesiredState.difference(before ?? [], next, present: present)
    }

    /// What leads back to the rules that are applied.
    func stepsBack(from present: [Rule]) -> [DesiredState.Step] {
        DesiredState.difference(next, applied, present: present)
    }

    mutating func tookEffect() { applied = next }

    private static func read(_ path: String) throws -> [Rule] {
        do {
            return try RulesFile.parse(try Files.read(path))
        } catch let error as SystemError {
            throw StartFailure("rules: \(error)")
        } catch let mistake as RulesFile.Mistake {
            throw StartFailure("rules file \(path), \(mistake.description)")
        }
    }
}
