import Control
import Posix
import Testing

/// `directorctl capture` at its command line, and the file that it leaves.
@Suite(.serialized)
struct CaptureCommandTests {
    /// A director whose capture is a list of answers, one after the other.
    private final class CapturingTable: MemoryTable {
        /// What is read, and how far the capture is then; the last state is told again and again.
        var answers: [(bytes: [UInt8], state: String)] = []
        private var state = ""
        /// The connection breaks when the answers are used up.
        var breaks = false

        override func read(_ name: String, piece: (ArraySlice<UInt8>) -> Void) throws(Refusal) {
            switch name {
            case "capture":
                if answers.isEmpty {
                    guard !breaks else {
                        throw Refusal(.connectionReset, "the director closed the connection")
                    }
                    return
                }
                let answer = answers.removeFirst()
                state = answer.state
                for start in stride(from: 0, to: answer.bytes.count, by: 7) {
                    piece(answer.bytes[start..<min(start + 7, answer.bytes.count)])
                }
            case "capture.state": piece(Array(state.utf8)[...])
            default: try super.read(name, piece: piece)
            }
        }
    }

    /// A block of so many bytes.
    private static func block(_ count: Int) -> [UInt8] {
        let length = [UInt8(count & 255), UInt8(count >> 8 & 255), 0, 0]
        return [6, 0, 0, 0] + length + [UInt8](repeating: 9, count: count - 12) + length
    }

    private let table = CapturingTable()
    private let path = "/tmp/swift-lvs-capture-\(Identity.process).pcapng"

    private func content() throws -> [UInt8] { try Files.readBytes(path) }

    @Test func `Blocks are stored until the director has told all`() throws {
        defer { Files.remove(path) }
        table.answers = [
            (Self.block(28) + Self.block(44), "capture 1 1 1 72 0 going\n"),
            (Self.block(60), "capture 1 2 1 132 3 packets\n"),
            ([], "capture 1 2 1 132 3 packets\n"),
        ]
        let transcript = Transcript(table: table)
        let words = [
            "capture", "tcp", "port", "80", "--write", path, "--packets=2", "--snap", "96",
        ]
        #expect(transcript.run(words + ["--bytes", "2M"]) == 0)
        #expect(table.changes == ["capture start packets=2 bytes=2000000 snap=96 tcp port 80"])
        #expect(
            transcript.output == "2 packets as they came, 1 frame that left because of them, "
                + "132 bytes to \(path); 3 lost for want of room; ended by --packets\n")
        #expect(try content() == Self.block(28) + Self.block(44) + Self.block(60))
    }

    @Test func `A time that is over ends it, with what came until then`() throws {
        defer { Files.remove(path) }
        let state = "capture 1 0 0 28 0 going\n"
        table.answers = [
            (Self.block(28), state), ([], state), ([], "capture 1 0 0 28 0 stopped\n"),
        ]
        let transcript = Transcript(table: table)
        #expect(transcript.run(["capture", "--seconds", "0.1", "--write", path]) == 0)
        #expect(table.changes.last == "capture stop ")
        #expect(transcript.output.hasSuffix("nothing lost; ended by --seconds\n"))
        #expect(try content() == Self.block(28))
    }

    @Test func `A director that goes away leaves a file of whole blocks`() throws {
        defer { Files.remove(path) }
        table.answers = [
            (Self.block(28) + Self.block(44).prefix(30), "capture 1 1 1 72 0 going\n")
        ]
        table.breaks = true
        let transcript = Transcript(table: table)
        #expect(transcript.run(["capture", "--write", path]) == 1)
        #expect(
            transcript.errors
                == "the capture broke off: the director closed the connection\nuntil then: 1 packet as "
                + "they came, 1 frame that left because of them, 28 bytes to \(path); "
                + "nothing lost\n")
        #expect(try content() == Self.block(28))
    }

    @Test(arguments: [[6, 0, 0, 0, 3, 0, 0, 0], [6, 0, 0, 0, 255, 255, 255, 255]])
    func `What is no block is not stored`(garbage: [UInt8]) throws {
        defer { Files.remove(path) }
        table.answers = [(Self.block(28) + garbage, "capture 1 1 1 72 0 going\n")]
        let transcript = Transcript(table: table)
        #expect(transcript.run(["capture", "--write", path]) == 1)
        #expect(transcript.errors.contains("the director's answer is not understood: a block of"))
    }

    @Test func `A state that is none ends it`() {
        defer { Files.remove(path) }
        table.answers = [(Self.block(28), "capture 2 nonsense\n")]
        let transcript = Transcript(table: table)
        #expect(transcript.run(["capture", "--write", path]) == 1)
        #expect(
            transcript.errors
                == "the director's answer is not understood: 'capture 2 nonsense'\n")
    }

    @Test func `What the director refuses leaves the file alone`() throws {
        let transcript = Transcript(table: table)
        #expect(transcript.run(["capture", "nonsense", "--write", path]) == 255)
        #expect(transcript.errors == "nonsense is no filter\n")
        #expect(Files.identity(path) == nil)
    }

    @Test func `A file that cannot be made is told`() {
        let transcript = Transcript(table: table)
        #expect(transcript.run(["capture", "--write", "/no/such/place"]) == 1)
        #expect(transcript.errors.hasPrefix("create /no/such/place: No such file or directory"))
    }

    @Test(
        arguments: [
            ([], "capture needs --write FILE; '-' is standard output"),
            (["tcp"], "capture needs --write FILE; '-' is standard output"),
            (["--write", ""], "--write: a file has a name"),
            (
                ["--write", "a", "--packets", "0"],
                "--packets: '0' is not a number from 1 to 1000000000"
            ),
            (
                ["--write", "a", "--bytes=5K"],
                "--bytes: '5K' is not a number from 10000 to 1000000000000; "
                    + "K, M and G behind it are thousands"
            ),
            (
                ["--write", "a", "--bytes=99999999999999999999G"],
                "--bytes: '99999999999999999999G' is not a number from 10000 to 1000000000000; "
                    + "K, M and G behind it are thousands"
            ),
            (
                ["--write", "a", "--seconds", "nan"],
                "--seconds: 'nan' is not a number of seconds from 0.1 to 86400"
            ),
            (["--write", "a", "--snap", "63"], "--snap: '63' is not a number from 64 to 262144"),
            (
                ["--write", "a", "-i", "eth0"],
                "capture: unexpected argument -i; known: [FILTER] --write FILE, --packets N, "
                    + "--bytes N[K|M|G], --seconds N, --snap BYTES"
            ),
        ] as [([String], String)])
    func `A line that makes no sense asks the director nothing`(words: [String], text: String) {
        let transcript = Transcript(table: table)
        #expect(transcript.run(["capture"] + words) == 2)
        #expect(transcript.errors == text + "\n")
        #expect(table.changes.isEmpty)
    }
}
