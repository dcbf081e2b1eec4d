import Synchronization

// What a connection with FULLNAT remembers for the settings of its service that change TCP segments.
// Any worker can read it; numbers are host order.
//
// The short form stands in the entry itself, in place of the checksum differences (offset 32), which are
// worked out for each packet then:
// ```
// number 32 | bytes of the PROXY header 16 | settings 8 | `Progress` 8                    atomic
// ```
// The number is the client's initial sequence number with a PROXY header, else the first of the
// server's data. The long form is for connections whose numbers begin anew, and for those of IPv6. It
// stands in the last extra line:
// ```
//  0  initial sequence number of the client 32 | what its numbers gain on the way 32    atomic
//  8  as the short form; the number is the first of the server's data                   atomic
// ```

/// What a connection remembers whose service asks for changes of TCP segments.
@safe
struct ClientRecord {
    /// What has been seen of a connection.
    struct Progress: OptionSet, Hashable {
        var rawValue: UInt8

        /// The client's initial sequence number is known.
        static let opened = Progress(rawValue: 1)
        /// The server's initial sequence number is known.
        static let answered = Progress(rawValue: 2)
        /// The PROXY header has been sent.
        static let announced = Progress(rawValue: 4)
        /// The server has acknowledged the PROXY header.
        static let acknowledged = Progress(rawValue: 8)
    }

    /// The word that both forms have.
    private struct State: Hashable {
        var word: UInt64

        init(word: UInt64) { self.word = word }

        init(_ options: FullNATOptions, headerLength: Int) {
            word = UInt64(headerLength) << 16 | UInt64(options.word) << 8
        }

        var progress: Progress {
            get { Progress(rawValue: UInt8(truncatingIfNeeded: word)) }
            set { word = word & ~0xff | UInt64(newValue.rawValue) }
        }
        var number: UInt32 {
            get { UInt32(truncatingIfNeeded: word >> 32) }
            set { word = word & 0xffff_ffff | UInt64(newValue) << 32 }
        }
        var options: FullNATOptions {
            FullNATOptions(word: UInt8(truncatingIfNeeded: word >> 8))
        }
        var headerLength: UInt32 { UInt32(word >> 16 & 0xffff) }
    }

    private let memory: UnsafeMutableRawPointer
    private let isShort: Bool

    /// A record at an address that is a multiple of 8.
    init(_ memory: UnsafeMutableRawPointer, isShort: Bool) {
        unsafe self.memory = memory
        self.isShort = isShort
    }

    private func word(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        unsafe (memory + offset).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    private var stateWord: UnsafeMutablePointer<Atomic<UInt64>> {
        unsafe word(isShort ? 0 : 8)
    }

    private var state: State {
        unsafe State(word: stateWord.pointee.load(ordering: .acquiring))
    }

    /// Changes the state; of two workers at it, one takes up what the other has changed.
    private func change(_ change: (inout State) -> Void) {
        var old = state
        while true {
            var new = old
            change(&new)
            let result = unsafe stateWord.pointee.compareExchange(
                expected: old.word, desired: new.word, ordering: .acquiringAndReleasing)
            if result.exchanged { return }
            old = State(word: result.original)
        }
    }

    /// Writes what a new connection knows; nobody else can reach the record yet.
    func write(_ options: FullNATOptions, headerLength: Int) {
        let state = State(options, headerLength: headerLength)
        unsafe stateWord.pointee.store(state.word, ordering: .releasing)
        if !isShort { unsafe word(0).pointee.store(0, ordering: .releasing) }
    }

    /// What the service asked for when the connection was made.
    var options: FullNATOptions { state.options }
    var progress: Progress { state.progress }

    /// Notes what has been seen, besides what is noted already.
    func note(_ progress: Progress) { change { $0.progress.formUnion(progress) } }

    /// How the client's numbers stand to those the server gets; nil before its SYN was seen, and where
    /// they are the same.
    var numbers: RequestNumbers? {
        let state = state
        guard state.progress.contains(.opened) else { return nil }
        guard !isShort else {
            guard state.headerLength != 0 else { return nil }
            return RequestNumbers(first: state.number, gained: 0, inserted: state.headerLength)
        }
        let word = unsafe word(0).pointee.load(ordering: .acquiring)
        return RequestNumbers(
            first: UInt32(truncatingIfNeeded: word >> 32), gained: UInt32(truncatingIfNeeded: word),
            inserted: state.headerLength)
    }

    /// Begins with a SYN's number; all that is known of an earlier connection is forgotten, unless the
    /// SYN is that of this one once more.
    func open(at first: UInt32, gaining: UInt32) {
        if let numbers, numbers.first == first { return }
        if !isShort {
            unsafe word(0).pointee.store(
                UInt64(first) << 32 | UInt64(gaining), ordering: .releasing)
        }
        change { state in
            state.progress = .opened
            if isShort { state.number = first }
        }
    }

    /// The number of the first byte of the server's data; nil before its SYN was seen.
    var answerStart: UInt32? {
        let state = state
        return state.progress.contains(.answered) ? state.number : nil
    }

    /// Notes the number of the first byte of the server's data, which only TOA asks for.
    func noteAnswer(start: UInt32) {
        guard options.usesOption else { return }
        change { state in
            state.progress.insert(.answered)
            state.number = start
        }
    }
}

extension Connection {
    /// In byte 49, in place of `masquerading`: the entry holds a short `ClientRecord` in place of the
    /// checksum differences.
    static let shortRecordMethod = ForwardingMethod.fullNAT.rawValue

    var hasShortRecord: Bool { methodAndTraits & 7 == Connection.shortRecordMethod }

    /// What the connection remembers for changes of its segments; nil when nobody asked for any.
    var clientRecord: ClientRecord? {
        guard control.rawValue & ConnectionControl.changesSegments != 0 else { return nil }
        if hasShortRecord { return unsafe ClientRecord(entry + 32, isShort: true) }
        guard let line = unsafe extraLine(hasHelper ? 1 : 0) else { return nil }
        return unsafe ClientRecord(line, isShort: false)
    }
}

extension ConnectionSpec {
    /// Asks for what the service wants of its TCP connections with FULLNAT.
    package mutating func bind(_ options: FullNATOptions) {
        guard transport == .tcp, local != nil, options != .none else { return }
        fullNAT = options
        if !hasShortRecord { extraLines += 1 }
    }

    /// Whether what the service asks for is remembered in the entry itself.
    var hasShortRecord: Bool {
        fullNAT != .none && !fullNAT.startsSequenceAnew && !inboundTuple.isWide
    }
}
