import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;

/** The JDK's client with its defaults: it offers h2c. With a third argument it sends chunks. */
class Client {
    public static void main(String[] arguments) throws Exception {
        BodyPublisher body = BodyPublishers.ofFile(Path.of(arguments[1]));
        if (arguments.length > 2) {
            body = BodyPublishers.fromPublisher(body);
        }
        var request = HttpRequest.newBuilder(URI.create(arguments[0])).POST(body).build();
        var client = HttpClient.newHttpClient();
        for (int count = 0; count < 3; count++) {
            System.out.println(client.send(request, BodyHandlers.ofString()).body());
        }
    }
}
