import java.io.File;
import java.io.FileInputStream;
import java.util.List;
import java.util.Set;
import org.codehaus.mojo.animal_sniffer.SignatureChecker;
import org.codehaus.mojo.animal_sniffer.logging.PrintWriterLogger;

/**
 * Does the app call anything that the oldest phone (minSdk) lacks or that the SDK hides?
 *
 * <p>javac cannot tell: its java.* is the computer's JDK, and its android.* may be the whole framework with every hidden method.
 * Arguments: the signature file of the API level, then folders of class files. Exit code 1 and the places when something is wrong.
 */
public final class ApiCheck {
    private ApiCheck() {}

    public static void main(String[] args) throws Exception {
        Set<String> elsewhere = Set.of("dev.mexport.*", "org.bytedeco.*", "ai.onnxruntime.*", "java.lang.Record");  // D8 rewrites records
        try (FileInputStream signatures = new FileInputStream(args[0])) {
            SignatureChecker checker = new SignatureChecker(signatures, elsewhere, new PrintWriterLogger(System.out));
            checker.setAnnotationTypes(List.of("dev.mexport.demo.NewerApi"));
            checker.setSourcePath(List.of());
            for (int i = 1; i < args.length; i++) checker.process(new File(args[i]));
            System.exit(checker.isSignatureBroken() ? 1 : 0);
        }
    }
}
