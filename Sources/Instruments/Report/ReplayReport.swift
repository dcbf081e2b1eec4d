internal import LVS

/// The report of a replay: one page of HTML that needs nothing else, for people with a browser.
///
/// It says what the summary says, and shows each server's load and the table over time, drops by reason,
/// and of a connection that is clicked the packets between client, director and server.
package struct ReplayReport {
    private let summary: ReplaySummary
    private let recorder: ReplayRecorder
    private let title: String

    /// A report on what the recorder saw, which has been finished.
    package init(_ recorder: ReplayRecorder, title: String) {
        summary = ReplaySummary(of: recorder.run)
        self.recorder = recorder
        self.title = title
    }

    /// The page.
    package var html: String {
        ReportPage(title: title, sections: ReportPage.replaySections, script: ReportScript.replay)
            .html(with: json)
    }

    private var json: JSONText {
        .object([
            ("title", .text(title)), ("summary", summary.jsonObject), ("series", series),
            ("connections", .list(recorder.ladders.map(ladder))),
        ])
    }

    private var series: JSONText {
        let samples = recorder.samples
        let reasons = DropReason.allCases.enumerated().filter { index, _ in
            samples.contains { $0.drops[index] > 0 }
        }
        return .object([
            ("times", .list(samples.map { .seconds($0.time) })),
            ("open", .list(samples.map { .count($0.open) })),
            (
                "servers",
                .list(
                    recorder.servers.enumerated().map { index, server in
                        .object([
                            ("service", .text(Words.service(server.service))),
                            ("name", .text(server.name.text)),
                            ("values", .list(samples.map { .count($0.connections[index]) })),
                        ])
                    })
            ),
            (
                "drops",
                .list(
                    reasons.map { index, reason in
                        .object([
                            ("name", .text(reason.name)),
                            ("values", .list(samples.map { .count($0.drops[index]) })),
                        ])
                    })
            ),
        ])
    }

    private func ladder(_ ladder: ReplayRecorder.Ladder) -> JSONText {
        .object([
            ("flow", .text(ladder.flow.text)), ("server", .text(ladder.server.text)),
            ("more", .count(ladder.more)), ("steps", .list(ladder.steps.map(step))),
        ])
    }

    private func step(_ step: ReplayRecorder.Step) -> JSONText {
        .object([
            ("packet", .count(step.packet)), ("time", .seconds(step.time)),
            ("from_client", .boolean(step.isFromClient)),
            ("before", .text(FrameLine.text(step.before))),
            ("after", .list(step.after.map { .text(FrameLine.text($0)) })),
            ("receiver", .optional(step.after.first.flatMap(FrameLine.receiver))),
            ("states", .list(step.states.map { .text($0) })), ("fate", .text(fate(step.verdict))),
        ])
    }

    private func fate(_ verdict: Verdict) -> String {
        switch verdict.kind {
        case .send: "sent"
        case .pass: "left to the host"
        case .consumed: "kept"
        case .drop: verdict.reason?.name ?? "dropped"
        }
    }
}
