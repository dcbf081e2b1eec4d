import Posix
import Testing

// Single steps of an unoptimised program take a minute, so that only the tests of what is shipped have them.
#if !DEBUG
    @Suite struct TableKillTests {
        /// A kill after every instruction of what changes a table, by a program of its own: a test process has
        /// threads and cannot fork.
        @Test func `A kill at any instruction costs the connection in work at most`() throws {
            let bundle = try #require(CommandLine.arguments.first { $0.hasSuffix(".xctest") })
            let slash = try #require(bundle.lastIndex(of: "/"))
            let told = try ChildProgram.output(
                of: bundle[..<slash] + "/KillSteps", [], milliseconds: 900_000)
            let last = try #require(told.split(separator: "\n").last)
            #expect(last.hasSuffix(" kills, 0 wrong"), "\(told)")
            #expect(Int(last.prefix { $0.isNumber }) ?? 0 > 500, "\(told)")
        }
    }
#endif
