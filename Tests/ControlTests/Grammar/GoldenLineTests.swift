import Control
import Testing

@Suite("Recorded ipvsadm command lines")
struct GoldenLineTests {
    @Test("The recordings are all there")
    func recordingsAreThere() {
        #expect(GoldenCase.all.count == 896)
        #expect(RenderingCase.all.count == 109)
    }

    @Test(
        "A command line prints, refuses and changes what the original does",
        arguments: GoldenCase.all.filter { $0.needs?.contains("resolver") != true })
    func line(_ golden: GoldenCase) {
        check(golden)
    }

    private func check(_ golden: GoldenCase) {
        let transcript = Transcript()
        for words in golden.setup {
            #expect(transcript.run(words) == 0, "setup \(words): \(transcript.errors)")
        }
        let status = transcript.run(golden.argv, input: golden.stdin ?? "")
        #expect(status == golden.exit)
        if golden.compare == "help" {
            for token in golden.tokens ?? [] { #expect(transcript.output.contains(token)) }
        } else {
            #expect(transcript.output == golden.stdout)
            // One case pastes an en dash, where a hint follows the original's message.
            #expect(transcript.errors.hasPrefix(golden.stderr))
            #expect(golden.stderr.isEmpty == transcript.errors.isEmpty)
        }
        for step in golden.after {
            _ = transcript.run(step.argv)
            #expect(transcript.output == step.stdout, "after: \(step.argv)")
        }
    }
}
