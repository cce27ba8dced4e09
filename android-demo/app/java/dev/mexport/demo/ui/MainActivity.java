package dev.mexport.demo.ui;

import android.content.Intent;
import android.os.Bundle;
import android.view.Menu;
import android.view.MenuItem;
import android.widget.ListView;
import dev.mexport.demo.R;
import dev.mexport.demo.measure.Result;

/** The models in this app, each with its engine, size and last result. */
public final class MainActivity extends Screen {
    private ModelAdapter rows;

    @Override protected int layout() {
        return R.layout.main;
    }

    @Override protected void begin(Bundle saved) {
        rows = new ModelAdapter(session);
        ListView list = findViewById(R.id.models);
        list.setAdapter(rows);
        list.setEmptyView(findViewById(R.id.empty));
        list.setOnItemClickListener((parent, view, position, id) ->
                startActivity(new Intent(this, ModelActivity.class).putExtra(MODEL, session.models().get(position).name())));
        onClick(R.id.measure, () -> startActivity(new Intent(this, RunActivity.class)));
        onClick(R.id.check, () -> session.check(session.models()));
        onClick(R.id.classify, () -> startActivity(new Intent(this, ClassifyActivity.class)));
        onClick(R.id.compare, () -> startActivity(new Intent(this, CompareActivity.class)));
    }

    @Override protected void show() {
        text(R.id.empty, session.problem() == null ? "" : session.problem());
        boolean free = !busy() && !session.models().isEmpty();
        enable(R.id.measure, free);
        enable(R.id.check, free);
        enable(R.id.classify, free);
        enable(R.id.compare, session.results().stream().anyMatch(Result::timed));
        rows.notifyDataSetChanged();
    }

    @Override public boolean onCreateOptionsMenu(Menu menu) {
        getMenuInflater().inflate(R.menu.share, menu);
        return true;
    }

    @Override public boolean onOptionsItemSelected(MenuItem item) {
        if (item.getItemId() == R.id.share_json) Share.json(this);
        else if (item.getItemId() == R.id.share_picture) Share.picture(this);
        else return super.onOptionsItemSelected(item);
        return true;
    }
}
