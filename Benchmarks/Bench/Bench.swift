internal import LVS
internal import Posix

/// The benchmarks of the engine: each prints its figures as it gets them.
@main
struct Bench {
    static func main() throws {
        guard let options = Options(Array(CommandLine.arguments.dropFirst())) else {
            Program.complain(Options.usage + "\n")
            Program.exit(64)
        }
        if options.instructions > 0 {
            var path = try NATPath(connections: 1_000)
            if options.isWatched { try path.watch() }
            if options.isTelling { path.tell() }
            path.runSwift(windows: options.instructions)
            return
        }
        var report = Report()
        Report.printHead()
        for (name, connections) in NATPath.sizes where options.wants(name) {
            if options.quick, connections > 1_000_000, options.only.isEmpty { continue }
            var path = try NATPath(connections: connections)
            report.add(path.run(name, windows: options.quick ? 32 : 120))
        }
        if options.wants("fullnat") {
            report.add(
                try FullNATPath.run(connections: 1_000_000, windows: options.quick ? 32 : 120))
        }
        for (name, connections) in Keeping.sizes where options.wants(name) {
            if options.quick, connections > 1_000_000, options.only.isEmpty { continue }
            report.add(
                try Keeping.run(connections: connections, windows: options.quick ? 32 : 120), name)
        }
        for (name, connections) in Keeping.adoptions where options.wants(name) {
            if options.quick, connections > 1_000_000, options.only.isEmpty { continue }
            for result in try Keeping.adopt(connections: connections, rounds: 9) {
                report.add(result, name)
            }
        }
        if options.wants("synchronisation") {
            report.add(try Telling.run(laps: options.quick ? 1 : 4))
        }
        if options.wants("churn") {
            report.add(try Churn.run(live: 1_000_000, windows: options.quick ? 32 : 120))
        }
        let schedulers = SchedulerRegistry.names.filter {
            options.wants("schedulers") || options.wants($0)
        }
        if !schedulers.isEmpty {
            Report.printDecisionsHead()
            for scheduler in schedulers {
                report.add(Decisions.run(scheduler, windows: options.quick ? 64 : 400))
            }
        }
        if options.wants("capture-read") || options.wants("capture-write") {
            try Captures.run(options, &report)
        }
        if options.wants("replay") { try Replays.run(options, &report) }
        print(report.json)
        if let file = options.thresholds {
            let broken = report.violations(try Files.read(file))
            for line in broken { print("over the limit: \(line)") }
            if !broken.isEmpty { Program.exit(1) }
        }
    }
}
