import Control
import LVS
import PacketIO
import Posix

/// `director --check`: what a start with the same options would find, use and stumble over.
///
/// Nothing of the host is touched, and no privilege is needed.
enum Check {
    /// The report for a terminal or, as JSON, for programs; and whether a director could start.
    static func run(_ options: Options) -> (text: String, isReady: Bool) {
        var links: [Link] = []
        // The options were found to be in order before.
        let workers = (try? Processors(options))?.cpus ?? [nil]
        let engine = Wiring.configuration(options, workers: workers.count)
        var plan = Survey.Plan(
            interfaces: [], isNamed: !options.interfaces.isEmpty, connections: options.connections,
            tableBytes: Director.tableBytes(engine))
        plan.workers = workers
        plan.answersAddresses = !options.answer.isEmpty
        var obstacles: [(String, String)] = []
        do {
            let asked = options.interfaces
            let surroundings = try Surroundings(interfaces: try DriverRegistry.interfaces(asked))
            links = surroundings.ports.compactMap { surroundings.monitor.link(named: $0.name) }
            plan.interfaces = surroundings.ports.map { port in
                let text = DriverRegistry.text(for: port.name, at: Int(port.index), of: asked)
                let scheme = (try? DriverRegistry.split(text))?.scheme
                return (scheme ?? DriverRegistry.defaultScheme, port.name)
            }
            if let first = asked.first, let (scheme, queues) = try? DriverRegistry.split(first),
                scheme == "nfqueue"
            {
                plan.queues = try QueueRange(queues)
            }
        } catch {
            obstacles.append(("interfaces", "\(error)"))
        }
        var report = Survey.take(of: links).report(on: plan)
        for (subject, text) in obstacles { report.obstacle(subject, text) }
        files(options, &report)
        table(options, &report)
        neighboursOfOurs(options, &report)
        return (options.json ? json(report) : report.rendered, report.isReady)
    }

    /// Where connections outlast a kill.
    private static func table(_ options: Options, _ report: inout SurveyReport) {
        guard options.table != Options.noTable else {
            report.plan("table", "anonymous: its connections end with the director")
            return
        }
        guard
            let place = options.table.map({ TablePlace(asked: $0) })
                ?? TablePlace.default(isLooking: true)
        else {
            report.found("table", "no directory for it lies in memory (/run, /dev/shm)")
            return
        }
        let isThere = Files.exists(place.path) ? ", where there is one to take over" : ""
        report.plan("table", "kept in \(place.path)\(isThere)")
    }

    /// The files that a start reads.
    private static func files(_ options: Options, _ report: inout SurveyReport) {
        if let path = options.rules {
            do {
                let source = try RulesSource(path: path)
                report.plan("rules", "\(source.next.count) rules of \(path)")
            } catch {
                report.obstacle("rules", "\(error)")
            }
        }
        guard let path = options.state else { return }
        guard Files.exists(path) else {
            report.plan("state", "\(path), which is not there yet: the table begins empty")
            return
        }
        do {
            let reading = StateFile.read(try Files.readBytes(path))
            if let first = reading.damage.first, !options.statePartial {
                report.obstacle(
                    "state",
                    "\(path) is damaged: \(first) (--state-partial uses what can be trusted)")
            } else {
                report.plan("state", "\(reading.items.count) lines of \(path)")
            }
        } catch {
            report.obstacle("state", "\(error)")
        }
    }

    /// Another director in the same network namespace.
    private static func neighboursOfOurs(_ options: Options, _ report: inout SurveyReport) {
        let path = ControlPath.resolve(options.control)
        do throws(SystemError) {
            _ = try UnixSocket.connect(path: path)
            report.obstacle(
                "control",
                "a director runs here already (\(path)); stop it or name another --control")
        } catch  where error.isPermission {
            report.found("control", "whether a director runs already cannot be seen (\(error))")
        } catch {
            report.plan("control", path)
        }
    }

    private static func json(_ report: SurveyReport) -> String {
        let lines = report.lines.map { line in
            JSONValue.members([
                "kind": .text(line.kind.rawValue), "subject": .text(line.subject),
                "text": .text(line.text),
            ])
        }
        return JSONValue.members(["ready": .boolean(report.isReady), "lines": .list(lines)])
            .document
    }
}
