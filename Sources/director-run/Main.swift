internal import Control

/// Starts a program for which the director is the IPVS of its kernel.
@main
struct DirectorRun {
    static func main() {
        BridgedProgram.run(CommandLine.arguments)
    }
}
