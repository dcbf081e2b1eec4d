import Synchronization

// What a connection with FULLNAT remembers for the settings of its service that change TCP segments: in
// its last extra line, so that any worker can read it.
//
// ```
//  0  initial sequence number of the client 32 | what its numbers gain on the way 32    atomic
//  8  first sequence number of the server's data 32 | `Progress` 32                     atomic
// 16  FullNATOptions.ClientAddress 8 | 1: numbers begin anew, 2: no timestamps 8 | bytes of the PROXY
//     header 16                                                                          constant
// ```
// Numbers are host order, the upper half of an atomic word stands first.

/// The line of a connection whose service asks for changes of TCP segments.
@safe
struct ClientLine {
    /// What has been seen of a connection.
    struct Progress: OptionSet, Hashable {
        var rawValue: UInt32

        /// The client's initial sequence number is known.
        static let opened = Progress(rawValue: 1)
        /// The server's initial sequence number is known.
        static let answered = Progress(rawValue: 2)
        /// The PROXY header has been sent.
        static let announced = Progress(rawValue: 4)
        /// The server has acknowledged the PROXY header.
        static let acknowledged = Progress(rawValue: 8)
    }

    private let line: UnsafeMutableRawPointer

    init(_ line: UnsafeMutableRawPointer) { unsafe self.line = line }

    private func word(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        unsafe (line + offset).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// Writes the constant part; nobody else can reach the line yet.
    func write(_ options: FullNATOptions, headerLength: Int) {
        unsafe line.set(16, byte: options.clientAddress.rawValue)
        unsafe line.set(
            17,
            byte: (options.startsSequenceAnew ? 1 : 0) | (options.removesTimestamps ? 2 : 0))
        unsafe line.set(18, le16: UInt16(headerLength))
    }

    var clientAddress: FullNATOptions.ClientAddress {
        unsafe FullNATOptions.ClientAddress(rawValue: line.byte(16)) ?? .hidden
    }
    var startsSequenceAnew: Bool { unsafe line.byte(17) & 1 != 0 }
    var removesTimestamps: Bool { unsafe line.byte(17) & 2 != 0 }
    /// Whether the server learns the client's address by a TCP option.
    var usesOption: Bool { clientAddress == .toa || clientAddress == .toaFromSYN }

    var progress: Progress {
        unsafe Progress(
            rawValue: UInt32(truncatingIfNeeded: word(8).pointee.load(ordering: .acquiring)))
    }

    /// Notes what has been seen, besides what is noted already.
    func note(_ progress: Progress) {
        unsafe word(8).pointee.bitwiseOr(
            UInt64(progress.rawValue), ordering: .acquiringAndReleasing)
    }

    /// How the client's numbers stand to those the server gets; nil before its SYN was seen.
    var numbers: RequestNumbers? {
        guard progress.contains(.opened) else { return nil }
        let word = unsafe word(0).pointee.load(ordering: .acquiring)
        return unsafe RequestNumbers(
            first: UInt32(truncatingIfNeeded: word >> 32), gained: UInt32(truncatingIfNeeded: word),
            inserted: UInt32(line.le16(18)))
    }

    /// Begins with a SYN's number; all that is known of an earlier connection is forgotten, unless the
    /// SYN is that of this one once more.
    func open(at first: UInt32, gaining: UInt32) {
        if let numbers, numbers.first == first { return }
        unsafe word(0).pointee.store(
            UInt64(first) << 32 | UInt64(gaining), ordering: .releasing)
        unsafe word(8).pointee.store(
            UInt64(Progress.opened.rawValue), ordering: .releasing)
    }

    /// The number of the first byte of the server's data; nil before its SYN was seen.
    var answerStart: UInt32? {
        let word = unsafe word(8).pointee.load(ordering: .acquiring)
        guard Progress(rawValue: UInt32(truncatingIfNeeded: word)).contains(.answered) else {
            return nil
        }
        return UInt32(truncatingIfNeeded: word >> 32)
    }

    /// Notes the number of the first byte of the server's data.
    func noteAnswer(start: UInt32) {
        var old = unsafe word(8).pointee.load(ordering: .acquiring)
        while true {
            let progress = UInt32(truncatingIfNeeded: old) | Progress.answered.rawValue
            let result = unsafe word(8).pointee.compareExchange(
                expected: old, desired: UInt64(start) << 32 | UInt64(progress),
                ordering: .acquiringAndReleasing)
            if result.exchanged { return }
            old = result.original
        }
    }
}

/// How the sequence numbers of a client's bytes stand to those of the bytes its server gets: all have
/// gained something, and those behind the SYN as many more as were put in front of the first.
///
/// All numbers are those of TCP and wrap.
struct RequestNumbers: Hashable {
    /// The client's initial sequence number.
    var first: UInt32
    /// What every number gains.
    var gained: UInt32
    /// Bytes in front of the client's first byte.
    var inserted: UInt32

    /// How far a client's number is behind that of its first byte.
    func distance(_ sequence: UInt32) -> Int32 { Int32(bitPattern: sequence &- first &- 1) }

    /// The number the server sees for one of the client's, given that the inserted bytes are before it.
    func toServer(_ sequence: UInt32) -> UInt32 { sequence &+ gained &+ inserted }

    /// The number the client knows for one that the server acknowledges or complains about.
    func toClient(_ number: UInt32) -> UInt32 {
        let plain = number &- gained
        let distance = distance(plain)
        guard distance > 0 else { return plain }
        return distance < Int64(inserted) ? first &+ 1 : plain &- inserted
    }

    /// True when the server has all inserted bytes.
    func hasInserted(_ acknowledged: UInt32) -> Bool {
        distance(acknowledged &- gained) >= Int64(inserted)
    }
}

extension Connection {
    /// What the connection remembers for changes of its segments; nil when nobody asked for any.
    var clientLine: ClientLine? {
        guard control.rawValue & ConnectionControl.changesSegments != 0,
            let line = unsafe extraLine(hasHelper ? 1 : 0)
        else { return nil }
        return unsafe ClientLine(line)
    }
}

extension ConnectionSpec {
    /// Asks for what the service wants of its TCP connections with FULLNAT.
    mutating func bind(_ options: FullNATOptions) {
        guard transport == .tcp, local != nil, options != .none else { return }
        fullNAT = options
        extraLines += 1
    }
}
