internal import Control

/// The command line of the director: ipvsadm's grammar over the control socket.
@main
struct DirectorControl {
    static func main() {
        CommandLineProgram.run(CommandLine.arguments)
    }
}
