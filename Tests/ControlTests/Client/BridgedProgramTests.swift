import Control
import Testing

/// The command line of director-run, and what it finds before it starts anything.
struct BridgedProgramTests {
    typealias Line = BridgedProgram.Line

    @Test(
        arguments: [
            (["ipvsadm", "-Ln"], Line(words: ["ipvsadm", "-Ln"])),
            (["--control", "/c", "ipvsadm"], Line(control: "/c", words: ["ipvsadm"])),
            (["--control=/c=d", "x"], Line(control: "/c=d", words: ["x"])),
            (["--wait", "2.5", "x", "--wait"], Line(wait: "2.5", words: ["x", "--wait"])),
            (["--", "--control"], Line(words: ["--control"])),
            (["x", "--help"], Line(words: ["x", "--help"])),
            (["--help"], Line()),
            (["--wait=0", "-h", "x"], Line()),
        ])
    func optionsEndWhereTheProgramBegins(words: [String], line: Line) throws {
        #expect(try BridgedProgram.parse(words[...]) == line)
    }

    @Test(
        arguments: [
            ([], "no program is named"), (["--control", "/c"], "no program is named"),
            (["--"], "no program is named"), (["--control"], "--control needs a value"),
            (["--control=", "x"], "--control needs a value"),
            (["--wait", "long", "x"], "'long' is no number of seconds from 0 to 3600"),
            (["--wait", "-1", "x"], "'-1' is no number"),
            (["--wait", "nan", "x"], "'nan' is no number"),
            (["--controll", "x"], "there is no option '--controll'"),
            (["-x", "x"], "there is no option '-x'"),
        ])
    func whatIsNotUnderstoodIsRefusedWithAReason(words: [String], reason: String) {
        let failure = #expect(throws: BridgedProgram.Failure.self) {
            try BridgedProgram.parse(words[...])
        }
        #expect(failure?.text.contains(reason) == true, "\(failure?.text ?? "no error")")
        #expect(failure?.text.contains("--help") == true)
        #expect(failure?.status == 2)
    }

    @Test func theSocketsPathIsMadeAbsoluteAndMustFit() throws {
        #expect(try BridgedProgram.controlPath("/run/x.sock") == "/run/x.sock")
        #expect(try BridgedProgram.controlPath("x.sock").hasPrefix("/"))
        #expect(try BridgedProgram.controlPath("x.sock").hasSuffix("/x.sock"))
        let long = "/" + String(repeating: "a", count: 107)
        let failure = #expect(throws: BridgedProgram.Failure.self) {
            try BridgedProgram.controlPath(long)
        }
        #expect(failure?.text.contains("at most 107 bytes") == true)
    }

    @Test func theLibraryIsBesideTheProgramOrBelowLib() {
        let places = BridgedProgram.libraryPlaces(of: "/usr/bin/director-run")
        #expect(places.first == "/usr/bin/libdirector-preload.so")
        #expect(places.last == "/usr/lib/swift-lvs/libdirector-preload.so")
        #expect(places[1].hasPrefix("/usr/lib/"))
        #expect(places[1].hasSuffix("-linux-gnu/swift-lvs/libdirector-preload.so"))
    }
}
