import LVS
import Logging
import PacketIO
import Posix

/// The engine with the memory of its table, new or as an earlier director left it.
struct EngineStart {
    let director: Director
    let memory: TableMapping
    /// Where the table is kept; nil when it ends with this process.
    let place: TablePlace?
    /// What an operator should know of what was found there.
    private(set) var note: String?

    /// How long a director waits for one that is being killed to let go of its table.
    private static let patienceSeconds = 0.5
    /// Tables of fewer connections are adopted by one thread.
    private static let sharedFrom = 100_000
    private static let mostThreads = 8

    init(_ options: Options, workers: Int, _ logger: Logger) throws {
        let configuration = Wiring.configuration(options, workers: workers)
        if options.table != Options.noTable {
            let asked = options.table.map { TablePlace(asked: $0) }
            if let place = asked ?? TablePlace.default(), let home = TableHome.current {
                if !Files.exists(place.path) {
                    try EngineStart.checkMemory(Director.keptTableBytes(configuration), options)
                }
                do throws(SystemError) {
                    self = try Self(configuration, at: place, home, logger)
                    return
                } catch {
                    let why = EngineStart.reason(error)
                    guard !place.isAsked else {
                        throw StartFailure("--table \(place.path): \(why)")
                    }
                    let loss = "a kill of this director will end its connections"
                    logger.warning(
                        "the table cannot be kept in \(place.path): \(why); \(loss)")
                }
            } else {
                let loss = "a kill of this director will end its connections"
                logger.notice("no directory for the table lies in memory (/run, /dev/shm): \(loss)")
            }
        }
        try EngineStart.checkMemory(Director.tableBytes(configuration), options)
        do throws(SystemError) {
            memory = try TableMapping(bytes: Director.tableBytes(configuration))
        } catch {
            throw StartFailure("memory for \(options.connections) connections: \(error)")
        }
        director = Director(configuration, tableMemory: memory.memory, now: EngineStart.now)
        place = nil
    }

    /// The table of a file: adopted, or new in the place of one that cannot be.
    private init(
        _ configuration: Director.Configuration, at place: TablePlace, _ home: TableHome,
        _ logger: Logger
    ) throws(SystemError) {
        self.place = place
        let bytes = Director.keptTableBytes(configuration)
        let began = MonotonicClock.now()
        var found = try EngineStart.map(place.path, bytes, home)
        if !found.isNew {
            do throws(TableRefusal) {
                let threads =
                    configuration.connections < EngineStart.sharedFrom
                    ? 1 : min(EngineStart.mostThreads, AllowedProcessors.numbers.count)
                let adoption = try TableAdoption(
                    found.memory, connections: configuration.connections,
                    workers: configuration.workers, now: EngineStart.now, parts: threads)
                adoption.run(Thread.share)
                memory = found
                director = Director(
                    configuration, tableMemory: found.memory, now: EngineStart.now,
                    adopting: adoption)
                let took = MonotonicClock.now() - began
                if let adopted = director.adopted {
                    note =
                        "table \(place.path): \(adopted.summary) go on, taken over in "
                        + EngineStart.milliseconds(took)
                }
                return
            } catch {
                note = try EngineStart.putAside(place.path, error)
            }
            found = try EngineStart.map(place.path, bytes, home)
        }
        memory = found
        director = Director(configuration, tableMemory: found.memory, now: EngineStart.now)
    }

    private static var now: Instant { Instant(nanoseconds: MonotonicClock.now()) }

    private static func milliseconds(_ nanoseconds: UInt64) -> String {
        "\(nanoseconds / 1_000_000).\(nanoseconds / 100_000 % 10) ms"
    }

    private static func map(
        _ path: String, _ bytes: Int, _ home: TableHome
    ) throws(SystemError) -> TableMapping {
        let began = MonotonicClock.now()
        while true {
            do throws(SystemError) {
                return try TableMapping(path: path, bytes: bytes, home: home)
            } catch {
                let waited = Double(MonotonicClock.now() - began) / 1e9
                guard error.wouldBlock, waited < patienceSeconds else { throw error }
                Program.sleep(seconds: 0.001)
            }
        }
    }

    /// Takes a table out of the way that cannot be used here; a sentence that says so.
    private static func putAside(
        _ path: String, _ refusal: TableRefusal
    ) throws(SystemError) -> String {
        let what = "table \(path): \(refusal.words), and so not used"
        switch refusal {
        case .empty, .otherBoot, .otherNetwork:
            // Nobody can want its connections any more.
            Files.remove(path)
            return what + "; a new one is in its place"
        case .foreign, .otherLayout, .otherSize:
            try Files.move(path, to: path + ".old")
            return what + "; it is kept as \(path).old, which takes memory until it is removed"
        }
    }

    private static func reason(_ error: SystemError) -> String {
        if error.wouldBlock { return "another director has its table there" }
        if error.isPermission, error.operation == "map" {
            return "not a plain file that belongs to this user alone (mode 0600, one name)"
        }
        if error.isOnDisk {
            return "not in memory; a file in tmpfs (/run, /dev/shm) or in hugetlbfs is accepted"
        }
        return "\(error)"
    }

    /// Refuses what the machine has no memory for, before anything else is touched.
    private static func checkMemory(_ bytes: Int, _ options: Options) throws {
        let spare = Survey.spareBytes
        guard let available = MemoryState.now?.available, bytes + spare > available,
            !MappedMemory.hasReservedPages(for: bytes)
        else { return }
        throw StartFailure(
            "--connections \(options.connections) needs \(bytes >> 20) MiB, and this machine has "
                + "\(max(0, available - spare) >> 20) MiB to spare; ask for fewer")
    }
}
