import LVS

/// What the fuzz targets do with one input; the same functions replay the corpus in every test run.
package enum FuzzTarget: String, CaseIterable, Sendable {
    /// Ethernet to verdict: frames as they are.
    case frame = "FuzzFrame"
    /// ICMP messages about known connections.
    case icmp = "FuzzICMP"
    /// Fragments in any order.
    case fragments = "FuzzFragments"
    /// What FTP and SIP say.
    case helpers = "FuzzHelpers"
    /// Requests on the control socket.
    case dialect = "FuzzDialect"
    /// Command lines, and files of rules and state.
    case grammar = "FuzzGrammar"
    /// Capture files.
    case capture = "FuzzCapture"
    /// Synchronisation messages.
    case sync = "FuzzSync"
    /// Connection tables that were damaged while no director had them.
    case table = "FuzzTable"

    /// Runs one input; a finding traps.
    package func run(_ input: [UInt8], in world: FuzzWorlds) {
        switch self {
        case .dialect: return world.command { DialectInput.run(input, $0) }
        case .grammar: return GrammarInput.run(input)
        case .capture: return CaptureInput.run(input)
        case .table: return TableInput.run(input)
        default: break
        }
        let rig = world.rig()
        switch self {
        case .frame: FrameInput.run(input, rig)
        case .icmp: ICMPInput.run(input, rig)
        case .fragments: FragmentInput.run(input, rig)
        case .helpers: HelperInput.run(input, rig)
        case .sync: SyncInput.run(input, rig)
        case .dialect, .grammar, .capture, .table: break
        }
        world.passed(rig)
    }
}

/// Directors for the inputs of one thread: making one takes longer than many inputs do.
///
/// A director serves `lifetime` inputs, which meet what the earlier ones left; then everything must
/// end, and the counts be right.
package final class FuzzWorlds {
    private let lifetime: Int
    private var current: FuzzRig?
    private var uses = 0

    /// A lifetime of 1 gives each input the same beginning.
    package init(lifetime: Int) { self.lifetime = lifetime }

    fileprivate func rig() -> FuzzRig {
        let rig = current ?? FuzzRig()
        current = rig
        return rig
    }

    private var commanded: DialectRig?

    /// Runs an input with a director that is commanded and gets no packets.
    fileprivate func command(_ body: (DialectRig) -> Void) {
        let rig = commanded ?? DialectRig()
        commanded = rig
        body(rig)
        uses += 1
        guard uses >= lifetime else { return }
        rig.finish()
        commanded = nil
        uses = 0
    }

    /// An input has run.
    fileprivate func passed(_ rig: FuzzRig) {
        uses += 1
        guard uses >= lifetime else { return }
        rig.finish()
        current = nil
        uses = 0
    }
}

/// Reads an input from its beginning; at the end there are zeros.
struct InputReader {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position >= bytes.count }

    mutating func byte() -> UInt8 {
        guard position < bytes.count else { return 0 }
        position += 1
        return bytes[position - 1]
    }

    mutating func word() -> UInt16 { UInt16(byte()) << 8 | UInt16(byte()) }

    mutating func take(_ count: Int) -> [UInt8] {
        let end = min(bytes.count, position + count)
        defer { position = end }
        return Array(bytes[position..<end])
    }

    mutating func rest() -> [UInt8] { take(bytes.count) }
}

/// Records of a control byte, a length of two bytes, and a frame; up to 16 records.
///
/// ```
/// control  1 port   2,4 checksum: complete, partial, verified   8 mark 7   16 spare memory
///          32 send what has gathered in one burst   64 half a minute passes   128 super-frame
/// ```
enum FrameInput {
    private static let mostRecords = 16

    static func run(_ input: [UInt8], _ rig: FuzzRig) {
        var reader = InputReader(input)
        var gathered: [(bytes: [UInt8], arrival: FuzzRig.Arrival)] = []
        for _ in 0..<mostRecords where !reader.isAtEnd {
            let control = reader.byte()
            let bytes = reader.take(Int(reader.word()))
            var arrival = FuzzRig.Arrival()
            arrival.port = control & 1 == 0 ? 0 : 1
            arrival.checksum =
                control & 2 != 0 ? .partial : control & 4 != 0 ? .verified : .complete
            arrival.mark = control & 8 != 0 ? 7 : 0
            arrival.spare = control & 16 != 0 ? 1600 : 0
            arrival.segmentSize = control & 128 != 0 ? 500 : 0
            gathered.append((bytes, arrival))
            guard control & 32 != 0 else { continue }
            rig.send(gathered)
            gathered = []
            if control & 64 != 0 { rig.pass(milliseconds: 30_000) }
        }
        rig.send(gathered)
    }
}
