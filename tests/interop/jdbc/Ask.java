import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;

/** What a BI tool does by JDBC: browse, ask, ask with a value, try to write. HOST:PORT TOKEN, a line for each answer. */
public class Ask {
  public static void main(String[] given) throws Exception {
    Properties shown = new Properties();
    shown.put("user", "analyst");
    shown.put("password", given[1]);
    shown.put("useEncryption", "false");
    try (Connection lake = DriverManager.getConnection("jdbc:arrow-flight-sql://" + given[0], shown)) {
      System.out.println("product " + lake.getMetaData().getDatabaseProductName());
      try (ResultSet tables = lake.getMetaData().getTables(null, null, "consumed%", null)) {
        while (tables.next()) System.out.println("table " + tables.getString("TABLE_NAME") + " " + tables.getString("TABLE_TYPE"));
      }
      try (ResultSet columns = lake.getMetaData().getColumns(null, null, "consumed_offsets", "%")) {
        while (columns.next()) System.out.println("column " + columns.getString("COLUMN_NAME") + " " + columns.getString("TYPE_NAME"));
      }
      try (Statement statement = lake.createStatement();
          ResultSet rows = statement.executeQuery("SELECT topic, count(*) AS n, sum(next_offset)::DOUBLE AS far FROM consumed_offsets GROUP BY 1")) {
        while (rows.next()) System.out.println("row " + rows.getString("topic") + " " + rows.getLong("n") + " " + rows.getDouble("far"));
      }
      String sql = "SELECT count(*) AS n FROM consumed_offsets WHERE topic = ? AND next_offset < ?";
      try (PreparedStatement statement = lake.prepareStatement(sql)) {
        statement.setString(1, "t");
        statement.setString(2, "10");
        try (ResultSet rows = statement.executeQuery()) {
          while (rows.next()) System.out.println("prepared " + rows.getLong(1));
        }
      }
      try (Statement statement = lake.createStatement(); ResultSet rows = statement.executeQuery("DELETE FROM consumed_offsets")) {
        System.out.println("deleted");
      } catch (SQLException refused) {
        System.out.println("refused " + refused.getMessage().replace('\n', ' '));
      }
    }
  }
}
