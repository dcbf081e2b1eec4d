internal import Posix

/// The program `directorctl`: finds the socket, carries out the line, ends with its status.
package enum CommandLineProgram {
    /// Runs the program with the words it was started with, its own name first.
    package static func run(_ arguments: [String]) -> Never {
        let program = arguments.first.flatMap { $0.split(separator: "/").last } ?? "directorctl"
        var words = Array(arguments.dropFirst())
        let path: String
        do throws(CommandError) {
            path = ControlPath.resolve(try takeControlPath(&words))
        } catch {
            Program.complain(error.text + "\n")
            Program.exit(error.status)
        }
        let session = CommandSession(
            program: String(program), output: Program.output, complain: Program.complain,
            readLine: { readLine() }, surface: .standard,
            showTop: { options throws(CommandError) in
                try TopSession.run(options, path: path)
            },
            makePause: { () throws(CommandError) in
                do throws(SystemError) {
                    return try UserPause()
                } catch {
                    throw CommandError(status: 1, text: "capture: \(error)", endsRestore: false)
                }
            },
            connect: { () throws(DirectorUnreachable) in try ClientTable(path: path) })
        Program.exit(session.run(words))
    }

    /// Takes `--control PATH` or `--control=PATH` from the front of the line.
    static func takeControlPath(_ words: inout [String]) throws(CommandError) -> String? {
        guard let first = words.first else { return nil }
        let option = "--control"
        if first == option {
            guard words.count > 1, !words[1].isEmpty else {
                throw .option(option, "missing argument")
            }
            defer { words.removeFirst(2) }
            return words[1]
        }
        guard first.hasPrefix(option + "=") else { return nil }
        guard first.utf8.count > option.utf8.count + 1 else {
            throw .option(option, "missing argument")
        }
        words.removeFirst()
        return String(first.dropFirst(option.count + 1))
    }
}
