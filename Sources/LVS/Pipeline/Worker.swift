import CIntrinsics
import Synchronization

/// What all workers of a director share: views of memory that the director owns.
package struct EngineParts: Sendable {
    package var table: ConnectionTable
    package var cells: DestinationCells
    package var hops: NextHopTable
    package var settings: LiveSettings
    package var services: PublishedServices
    package var commons: WorkerCommons
    package var syncMarks: SyncMarks

    package init(
        table: ConnectionTable, cells: DestinationCells, hops: NextHopTable,
        settings: LiveSettings, services: PublishedServices, commons: WorkerCommons,
        syncMarks: SyncMarks
    ) {
        self.table = table
        self.cells = cells
        self.hops = hops
        self.settings = settings
        self.services = services
        self.commons = commons
        self.syncMarks = syncMarks
    }
}

/// One thread's share of the engine: takes bursts through the pipeline in waves.
///
/// A wave does one thing for the whole burst, so that the memory one packet waits for is on its way
/// while others are worked on: parse all and prefetch buckets, compare tags and prefetch entries,
/// finish each (swift-data-plane 3.2). Used by one thread only, except `tally`.
@safe
package final class Worker: @unchecked Sendable {
    /// What the first waves leave for the last one.
    @safe
    struct Pending {
        var packet: Packet
        var frame: UnsafeMutablePointer<Frame>
        var place: ConnectionTable.Place
        /// The candidate slot's word; 0 when no tag matched.
        var word: UInt64
    }

    let number: Int
    let parts: EngineParts
    let counters: WorkerCounters
    let machine: StateMachine
    package let tally: Tally
    let synchroniser: Synchroniser
    let pending: UnsafeMutablePointer<Pending>
    private var timeouts = Timeouts()

    // Cold parts: touched when a packet leaves the fast path.
    var admission: Admission
    var errors: ICMPErrors
    var parking = ParkingLot()
    var reassembly = Reassembly()
    /// The packet being worked on was put together from fragments; `reassembly` knows their sizes.
    var isReassembled = false
    var identifications: Identifications

    /// As `narrator`, for the worker's own code: the compiler knows who changes it, and checks nothing.
    private(set) var listener: Narrator?

    /// Who listens to what becomes of packets; nil when nobody does.
    ///
    /// To be set by the worker's own thread, between two bursts.
    package var narrator: Narrator? {
        get { listener }
        set {
            listener = newValue
            admission.narrator = newValue
        }
    }

    /// Where other threads ask for stories.
    package let desk = NarratorDesk()
    /// The narrator is one that was asked for at the desk.
    var isNarratorOfDesk = false
    /// Number of the last story that was told for the desk by narrators that are gone.
    var storiesBefore: UInt64 = 0

    /// The worker numbered `number`, from 0; `seed` feeds its random choices.
    package init(number: Int, parts: EngineParts, counters: WorkerCounters, seed: UInt64) {
        self.number = number
        self.parts = parts
        self.counters = counters
        machine = StateMachine()
        tally = Tally()
        synchroniser = Synchroniser(
            table: parts.table, settings: parts.settings, marks: parts.syncMarks,
            queue: SyncQueue())
        let workers = parts.table.quiescence.workers
        identifications = Identifications(worker: number, of: workers)
        errors = ICMPErrors(
            settings: parts.settings, commons: parts.commons,
            identifications: Identifications(worker: number, of: workers))
        unsafe pending = .allocate(capacity: Burst.capacity)
        admission = Admission(
            table: parts.table, cells: parts.cells, counters: counters, settings: parts.settings,
            worker: number, seed: seed)
    }

    deinit {
        machine.deallocate()
        tally.deallocate()
        synchroniser.queue.deallocate()
        admission.deallocate()
        unsafe pending.deallocate()
    }

    // MARK: Rest

    /// The worker is about to sleep; it holds nothing, and memory can be freed without it.
    package func rest() { parts.table.quiescence.sleep(number) }

    /// The worker has woken up; must come before the next `process`.
    package func wake() { parts.table.quiescence.wake(number) }

    /// True while frames wait for a next hop: call `process` again within some milliseconds, with an
    /// empty burst if need be.
    package var hasParkedFrames: Bool { parking.count != 0 }

    // MARK: Bursts

    /// Gives every frame of the burst its verdict, and appends made frames; `now` must not go back.
    package func process(_ burst: inout Burst, now: Instant) {
        if desk.isWaiting { visitDesk() }
        let path = beginTurn(now)
        if parking.count != 0 { releaseParked(&burst, path) }
        if parts.commons.hasExpired(now) { expireFragments(&burst, path) }
        let count = burst.count
        if count != 0 {
            let frames = unsafe burst.base
            if let listener {
                narrate(listener, &burst, count, path)
            } else if parts.settings.isOnlyBackup {
                passRequests(&burst, count, path)
            } else if path.services.hasServices(.v4) {
                unsafe parse(frames, count, path)
                match(count, path)
                if parts.settings.isMaster {
                    finishTelling(&burst, count, path)
                } else {
                    finish(&burst, count, path)
                }
            } else if path.services.hasServices(.v6) {
                unsafe parse(frames, count, path)
                finishWithoutIPv4(&burst, count, path)
            } else {
                passAll(&burst, count)
            }
        }
        parts.table.quiescence.pass(number)
    }

    /// Without a service nothing is the director's business, packets of connections that still stand
    /// in the table included (ipvs-semantics 0.1).
    private func passAll(_ burst: inout Burst, _ count: Int) {
        for index in 0..<count { pass(index, &burst) }
        tally.countFrames(received: UInt64(count), sent: 0)
    }

    func pass(_ index: Int, _ burst: inout Burst) {
        unsafe burst.base[index].verdict = .pass
        tally.count(.pass)
    }

    private func beginTurn(_ now: Instant) -> FastPath {
        let settings = parts.settings
        let current = Timeouts(
            tcp: settings.tcpEstablishedSeconds, tcpFin: settings.tcpFinWaitSeconds,
            udp: settings.udpSeconds)
        if current != timeouts {
            timeouts = current
            machine.setTimeouts(current)
        }
        return FastPath(
            table: parts.table, cells: parts.cells, hops: parts.hops, counters: counters,
            machine: machine, services: parts.services.current, now: now, tick: now.tick,
            isSecureTCP: settings.isSecureTCP, generation: parts.hops.generation)
    }

    /// First wave: headers in, packet parsed, hash made, bucket asked for.
    @inline(__always)
    func parse(_ frames: UnsafeMutablePointer<Frame>, _ count: Int, _ path: FastPath) {
        for index in 0..<Burst.ahead { unsafe lvs_prefetch(frames[index].bytes) }
        for index in 0..<count {
            unsafe lvs_prefetch(frames[index &+ Burst.ahead].bytes)
            let key: ConnectionKey
            unsafe pending[index].frame = frames + index
            if let packet = unsafe Packet(plain: frames[index]) {
                key = packet.key
                unsafe pending[index].packet = packet
            } else {
                key = unsafe parseUnusual(frames + index, pending + index, path)
            }
            let place = path.table.place(key)
            unsafe lvs_prefetch(path.table.bucket(place.first))
            unsafe pending[index].place = place
        }
    }

    /// Parses a packet that is not a plain one of IPv4; returns its key.
    @inline(never)
    private func parseUnusual(
        _ frame: UnsafeMutablePointer<Frame>, _ pending: UnsafeMutablePointer<Pending>,
        _ path: FastPath
    ) -> ConnectionKey {
        let packet = unsafe Packet(unusual: frame.pointee)
        unsafe pending.pointee.packet = packet
        return path.table.key(of: packet)
    }

    /// Second wave: tags compared, entry asked for; where the first bucket has none, the second
    /// bucket is asked for, and compared after the others had their turn.
    @inline(__always)
    func match(_ count: Int, _ path: FastPath) {
        var second: UInt64 = 0
        for index in 0..<count {
            let place = unsafe pending[index].place
            if unsafe !ask(index, path.table.bucket(place.first), path) {
                unsafe lvs_prefetch(path.table.bucket(place.second))
                second |= 1 &<< UInt64(index)
            }
        }
        while second != 0 {
            let index = second.trailingZeroBitCount
            second &= second &- 1
            let bucket = unsafe path.table.bucket(pending[index].place.second)
            if unsafe !ask(index, bucket, path) { unsafe pending[index].word = 0 }
        }
    }

    /// Notes the word of the bucket's slot that carries the tag of a packet, and asks for the entry;
    /// false when there is none.
    @inline(__always)
    private func ask(_ index: Int, _ bucket: UnsafeMutableRawPointer, _ path: FastPath) -> Bool {
        guard let word = unsafe path.table.candidate(bucket, pending[index].place.tag) else {
            return false
        }
        unsafe pending[index].word = word
        unsafe lvs_prefetch(path.table.entries + Int(UInt32(truncatingIfNeeded: word)) &* 64)
        return true
    }

    /// Third wave: hits are finished on the fast path, everything else leaves it by name.
    private func finish(_ burst: inout Burst, _ count: Int, _ path: FastPath) {
        var sent: UInt64 = 0
        for index in 0..<count {
            let exit = unsafe path.forward(pending + index)
            if exit == .sent { sent &+= 1 } else { finish(index, by: exit, &burst, path) }
        }
        tally.countFrames(received: UInt64(count), sent: sent)
    }

    /// As above while there is no service of IPv4, whose packets are nobody's business then.
    private func finishWithoutIPv4(_ burst: inout Burst, _ count: Int, _ path: FastPath) {
        for index in 0..<count { finish(index, by: .notFlow, &burst, path) }
        tally.countFrames(received: UInt64(count), sent: 0)
    }

    @inline(never)
    func finish(
        _ index: Int, by exit: FastPath.Exit, _ burst: inout Burst, _ path: FastPath
    ) {
        var verdict = unsafe leave(exit, pending[index].packet, index, &burst, path)
        if verdict.kind == .pass { verdict = leaveToHost(verdict, index, &burst, path) }
        unsafe burst.base[index].verdict = verdict
        tally.count(verdict)
    }
}
