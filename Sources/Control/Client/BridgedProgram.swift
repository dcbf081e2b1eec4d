internal import Posix

/// The program `director-run`: starts another one with the preload library before it, so that
/// unmodified tools take the director for their kernel's IPVS.
package enum BridgedProgram {
    /// What a command line asks for.
    package struct Line: Hashable {
        /// The control socket asked for.
        package var control: String?
        /// Seconds to wait for a director that is away, as text.
        package var wait: String?
        /// The program and its arguments; empty when help is asked for.
        package var words: [String]

        package init(control: String? = nil, wait: String? = nil, words: [String] = []) {
            self.control = control
            self.wait = wait
            self.words = words
        }
    }

    /// Why the program is not started: the text to print and the exit status.
    package struct Failure: Error, Hashable {
        package var text: String
        package var status: Int32

        static let hint = "try 'director-run --help'"
        static func usage(_ text: String) -> Failure {
            Failure(text: "\(text); \(hint)", status: 2)
        }
        static func start(_ text: String, status: Int32 = 126) -> Failure {
            Failure(text: text, status: status)
        }
    }

    /// The file of the preload library.
    static let library = "libdirector-preload.so"
    /// The variable by which the library learns how long to wait for a director, seconds.
    static let waitVariable = "DIRECTOR_WAIT"
    private static let loaderVariable = "LD_PRELOAD"

    private static let help = """
        usage: director-run [--control PATH] [--wait SECONDS] PROGRAM [ARGUMENT]...

        Starts a program - ipvsadm, keepalived, sysctl, a script - for which the director is the IPVS
        of its kernel: generic netlink, /proc/net/ip_vs* and /proc/sys/net/ipv4/vs come from the
        director, and ip_vs is not loaded. The program's children are started in the same way.

          --control PATH   the director's socket; otherwise $DIRECTOR_CONTROL, otherwise that of the
                           director of this network name space
          --wait SECONDS   how long requests wait for a director that is away or does not answer
                           (5, or $DIRECTOR_WAIT)

        Programs that do without the C library's loader cannot be brought to the director and are
        refused: statically linked ones, and those written in Go.

        """

    /// Runs the program with the words it was started with, its own name first.
    package static func run(_ arguments: [String]) -> Never {
        do throws(Failure) {
            let line = try parse(arguments.dropFirst())
            guard let name = line.words.first else {
                Program.output(help)
                Program.exit(0)
            }
            let path = try find(name)
            let library = try findLibrary()
            try check(path, library)
            Environment.set(ControlPath.variable, to: try controlPath(line.control))
            if let wait = line.wait { Environment.set(waitVariable, to: wait) }
            let others = Environment.value(loaderVariable).map { ":" + $0 } ?? ""
            Environment.set(loaderVariable, to: library + others)
            let error = Program.become(path, line.words)
            throw .start("\(name): \(error.reason)")
        } catch {
            Program.complain("director-run: \(error.text)\n")
            Program.exit(error.status)
        }
    }

    /// Options up to the program's name; what follows is the program's.
    package static func parse(_ arguments: ArraySlice<String>) throws(Failure) -> Line {
        var line = Line()
        var rest = arguments
        while let word = rest.popFirst() {
            if word == "--help" || word == "-h" { return Line() }
            if word == "--" { break }
            guard word.hasPrefix("-") else {
                rest = arguments.suffix(rest.count + 1)
                break
            }
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard ["--control", "--wait"].contains(parts[0]) else {
                throw .usage("there is no option '\(word)'")
            }
            let value = parts.count > 1 ? String(parts[1]) : rest.popFirst()
            guard let value, !value.isEmpty else { throw .usage("\(parts[0]) needs a value") }
            if parts[0] == "--control" {
                line.control = value
            } else {
                guard let seconds = Double(value), (0...3600).contains(seconds) else {
                    throw .usage("--wait: '\(value)' is no number of seconds from 0 to 3600")
                }
                line.wait = value
            }
        }
        guard !rest.isEmpty else { throw .usage("no program is named") }
        line.words = Array(rest)
        return line
    }

    /// The socket's path from the root: programs may go elsewhere before they use it.
    package static func controlPath(_ asked: String?) throws(Failure) -> String {
        let path: String
        do throws(SystemError) {
            path = try Files.absolute(ControlPath.resolve(asked))
        } catch {
            throw .start(error.description)
        }
        guard path.utf8.count <= UnixSocket.longestPath else {
            throw .usage("--control: a socket's path has at most \(UnixSocket.longestPath) bytes")
        }
        return path
    }

    /// The file of a program that is named as a shell would take it, or as an administrator's.
    private static func find(_ name: String) throws(Failure) -> String {
        if name.contains("/") {
            guard Files.exists(name) else {
                throw .start("\(name): there is no such file", status: 127)
            }
            guard Files.isProgram(name) else { throw .start("\(name) is not a program") }
            return name
        }
        let places = (Environment.value("PATH") ?? "").split(separator: ":").map(String.init)
        let found = places.lazy.map { "\($0)/\(name)" }.first(where: Files.isProgram)
        guard let path = found ?? ChildProgram.find(name) else {
            throw .start("\(name): there is no such program", status: 127)
        }
        return path
    }

    /// The preload library: beside this program where it was built, below lib where it is installed.
    private static func findLibrary() throws(Failure) -> String {
        let program: String
        do throws(SystemError) {
            program = try Program.path()
        } catch {
            throw .start(error.description)
        }
        let places = libraryPlaces(of: program)
        guard let path = places.first(where: Files.exists) else {
            throw .start("the preload library is missing: \(places.joined(separator: ", "))")
        }
        // The loader takes both for the end of a path.
        guard !path.contains(where: { $0 == " " || $0 == ":" }) else {
            throw .start("the loader cannot take a library from \(path): blanks or colons")
        }
        return path
    }

    /// Where the library may be, seen from the program's own file.
    package static func libraryPlaces(of program: String) -> [String] {
        let directory = program.split(separator: "/").dropLast()
        let above = directory.dropLast()
        #if arch(x86_64)
            let triplet = "x86_64-linux-gnu"
        #elseif arch(arm64)
            let triplet = "aarch64-linux-gnu"
        #endif
        return [
            Array(directory), above + ["lib", triplet[...], "swift-lvs"],
            above + ["lib", "swift-lvs"],
        ].map { "/" + ($0 + [library[...]]).joined(separator: "/") }
    }

    /// Refuses programs that the library would not reach: they would command a kernel.
    private static func check(_ path: String, _ library: String) throws(Failure) {
        if Identity.user != 0, Files.isPrivileged(path) {
            throw .start("\(path) runs with its owner's rights, and then ignores preloading")
        }
        let file: ProgramFile
        let ours: ProgramFile
        do throws(SystemError) {
            file = ProgramFile(try Files.readBytes(path, first: ProgramFile.firstBytes))
            ours = ProgramFile(try Files.readBytes(library, first: ProgramFile.firstBytes))
        } catch {
            // A program may be started without being readable; it is then taken as it is.
            guard !error.isPermission else { return }
            throw .start(error.description)
        }
        if let complaint = file.complaint(besides: ours) { throw .start("\(path) \(complaint)") }
    }
}
