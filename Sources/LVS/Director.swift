/// The engine's façade: services, settings, tables and workers of one director.
///
/// Commands, listings and `tick` belong to the housekeeper's thread; each worker belongs to a thread
/// of its own. The memory of the connection table is handed in and outlives the director.
@safe
package final class Director: @unchecked Sendable {
    /// What cannot be changed while the director runs.
    package struct Configuration: Hashable, Sendable {
        /// Most connections the table holds.
        package var connections = 1_000_000
        package var workers = 1
        /// Randomness for the table's hash and for schedulers; the engine has none of its own.
        package var seed: UInt64
        /// The size that listings show (`size=4096`).
        package var listedTableSize: UInt32 = 4096

        package init(
            connections: Int = 1_000_000, workers: Int = 1, seed: UInt64,
            listedTableSize: UInt32 = 4096
        ) {
            self.connections = connections
            self.workers = workers
            self.seed = seed
            self.listedTableSize = listedTableSize
        }
    }

    /// With more services than this, or endpoints of NAT servers, changes reach the workers with the
    /// next tick.
    static let publishedAtOnce = 256

    package let configuration: Configuration
    /// One for each worker thread.
    package let workers: [Worker]
    package let table: ConnectionTable
    package let nextHops: NextHopKeeper
    package internal(set) var timeouts = Timeouts()
    package internal(set) var settings = Settings()

    /// What was taken over of another process's table; nil when nothing was.
    package internal(set) var adopted: AdoptedTable?

    private let tableOwner: AnyObject?
    /// What servers' numbers mean, where the table outlasts this process.
    let directory: ServerDirectory?
    let cells: DestinationCells
    let counters: [WorkerCounters]
    let live: LiveSettings
    let quiescence: QuiescentState
    /// The housekeeper's own.
    let synchroniser: Synchroniser
    let published: PublishedServices

    /// Services in the order they were added.
    private(set) var records: [ServiceRecord] = []
    private var recordsByKey: [ServiceKey: ServiceRecord] = [:]
    var numbers = DestinationNumbers()
    var trash = Trash()
    /// Given to each new service, so that none is mistaken for an earlier one.
    var generation: UInt64 = 0
    var entryDefence: EntryDefence
    /// Free and buffer pages of the machine; more than enough until somebody tells.
    var freePages = Int.max
    var hasBackupDaemon = false
    /// What servers of removed services had counted.
    var removedCounters = CounterValues()
    var totalMeter = Meter(from: CounterValues())
    package internal(set) var hostAddresses: Set<IPAddress> = []
    /// The local addresses of services, and those of former ones as long as connections have them.
    package internal(set) var ownedLocals: Set<IPAddress> = []
    /// The port of the host door; nil without one.
    package internal(set) var door: PortIndex?
    /// The director's own marking rules, in order.
    package internal(set) var markRules: [MarkRule] = []
    /// The marking rules of the host's own netfilter, in order.
    package internal(set) var followedMarks: [MarkRule] = []
    /// Whether frames come in with the marks of the host's netfilter.
    var framesCarryMarks = false
    /// What both lead to services by mark, as of the table that was published last.
    var marked = ServedTraffic()
    package internal(set) var ports: [Port] = []
    /// Where NAT replies come from, and how many configured servers send them from there.
    var replyEndpoints: [ServedTraffic.Endpoint: Int] = [:]
    /// Where packets in tunnels go to, and how many configured servers that is.
    var tunnelEndpoints: [ServedTraffic.Endpoint: Int] = [:]
    /// Endpoints kept for the connections of servers that are gone.
    var lingeringReplies: [LingeringReplies] = []
    /// True when workers have not been told yet of a change in `records`, `replyEndpoints`,
    /// `tunnelEndpoints` or `ownedLocals`.
    var isTableStale = false
    /// More changes are coming before workers need to know.
    var isChangingTogether = false
    /// Called before workers see a new table: the time to keep from the host what it serves.
    package var beforePublishing: () -> Void = {}
    /// Service tables that a worker may still hold, with the epoch that frees them.
    var retired: [(table: ServiceTable, epoch: UInt64)] = []

    var now: Instant
    var nextEstimate: Instant
    var nextSecond: Instant
    /// Seconds that ports of FULLNAT have been at rest in, for the periods of the long rest.
    var secondsOfPorts: UInt64 = 0

    /// Bytes of memory the table of a configuration needs; the caller maps them and hands them in.
    package static func tableBytes(_ configuration: Configuration) -> Int {
        ConnectionTable.bytes(
            connections: configuration.connections, workers: configuration.workers)
    }

    /// Bytes of memory the table of a configuration needs when it is to outlast the process.
    package static func keptTableBytes(_ configuration: Configuration) -> Int {
        ConnectionTable.keptBytes(
            connections: configuration.connections, workers: configuration.workers)
    }

    /// Makes a director without services in memory of at least `tableBytes`, or with what another process
    /// left there, by an adoption of the same memory that was run.
    package init(
        _ configuration: Configuration, tableMemory: TableMemory, now: Instant,
        adopting adoption: TableAdoption? = nil
    ) {
        precondition(configuration.workers > 0, "a director has at least one worker")
        var random = SeededGenerator(seed: configuration.seed)
        let quiescence =
            adoption?.table.quiescence ?? QuiescentState(workers: configuration.workers)
        let seed = (random.next(), random.next())
        let table =
            adoption?.table
            ?? ConnectionTable(
                tableMemory, connections: configuration.connections,
                workers: configuration.workers, seed: seed, quiescence: quiescence)
        let counters = (0..<configuration.workers).map { _ in WorkerCounters() }
        let published = PublishedServices(ServiceTableBuilder().build())
        let hops = NextHopTable()
        let cells = DestinationCells()
        let live = LiveSettings()
        let syncMarks = SyncMarks(entries: configuration.connections)
        let parts = EngineParts(
            table: table, cells: cells, hops: hops, settings: live, services: published,
            commons: WorkerCommons(), syncMarks: syncMarks)
        workers = counters.indices.map { number in
            Worker(
                number: number, parts: parts, counters: counters[number], seed: random.next())
        }
        entryDefence = EntryDefence(seed: random.next())
        self.configuration = configuration
        tableOwner = tableMemory.owner
        directory = tableMemory.directory
        self.table = table
        nextHops = NextHopKeeper(table: hops, quiescence: quiescence)
        self.cells = cells
        self.live = live
        self.quiescence = quiescence
        synchroniser = Synchroniser(
            table: table, settings: live, marks: syncMarks, queue: SyncQueue())
        self.counters = counters
        self.published = published
        self.now = now
        nextEstimate = Instant(nanoseconds: now.nanoseconds &+ Estimator.periodNanoseconds)
        nextSecond = now.advanced(bySeconds: 1)
        if let adoption { takeOver(adoption) }
    }

    /// The record of a service; nil when there is none with this key.
    func record(_ key: ServiceKey) -> ServiceRecord? { recordsByKey[key] }

    func append(_ record: ServiceRecord) {
        records.append(record)
        recordsByKey[record.service.key] = record
    }

    /// Takes the record of a service out; nil when there is none.
    func takeRecord(_ key: ServiceKey) -> ServiceRecord? {
        guard let record = recordsByKey.removeValue(forKey: key) else { return nil }
        records.removeAll { $0 === record }
        return record
    }

    /// Takes all records out.
    func takeRecords() -> [ServiceRecord] {
        defer {
            records = []
            recordsByKey = [:]
        }
        return records
    }

    deinit {
        published.current.deallocate()
        for old in retired { old.table.deallocate() }
        published.deallocate()
        for counters in counters { counters.deallocate() }
        cells.deallocate()
        live.deallocate()
        nextHops.table.deallocate()
        synchroniser.queue.deallocate()
        synchroniser.marks.deallocate()
        quiescence.deallocate()
    }
}
